"""What loaders of frameworks would make objects of, and a watch over what is done when a store holds it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

CONSTRUCTED: dict[str, Any] = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "prompts", "PromptTemplate"],
    "kwargs": {"template": "x"},
}
SECRET: dict[str, Any] = {"lc": 1, "type": "secret", "id": ["PATH"]}
COMPONENT: dict[str, Any] = {"type": "antigravity.Component", "init_parameters": {"command": "touch owned"}}
"""As Haystack writes a pipeline."""
VARIABLE: dict[str, Any] = {"type": "env_var", "env_vars": ["PATH"], "strict": True}
"""Its secrets."""
CLASS: dict[str, Any] = {"class_name": "antigravity", "__type__": "4", "__data__": {"py/object": "antigravity.x"}}
"""As LlamaIndex and jsonpickle name a class."""

SHAPES: dict[str, Any] = {
    "constructed": CONSTRUCTED,
    "secret": SECRET,
    "component": COMPONENT,
    "variable": VARIABLE,
    "class": CLASS,
    "pickled": "cos\nsystem\n(S'touch owned'\ntR.",
    "list": [CONSTRUCTED, {"deep": [SECRET, COMPONENT]}],
}

_NEVER = (
    "os.system",
    "os.exec",
    "os.spawn",
    "subprocess.Popen",
    "pickle.find_class",
    "socket.connect",
    "socket.getaddrinfo",
)
_seen: list[str] = []


@contextmanager
def nothing_done() -> Iterator[None]:
    """Fails when the block runs a program, unpickles, asks the network, or imports what only such data names."""
    _hook()
    _seen.clear()
    yield
    assert _seen == []
    assert "antigravity" not in sys.modules


@cache
def _hook() -> None:
    """Once: there is no way to take one off again."""
    sys.addaudithook(lambda event, arguments: _seen.append(event) if event in _NEVER else None)
