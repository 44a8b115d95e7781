"""Which row of the vector files belongs to which id.

chromadb writes that into ``index_metadata.pickle`` and nowhere else. Loading a pickle runs whatever it says, so it is
not loaded: its opcodes are read one by one (`pickletools.genops` only splits bytes), and those that build dicts, texts,
numbers and None are understood. Anything else is refused, but for the class that chromadb 0.4 to 0.6 wrote, whose name
stands for a dict of its attributes; nothing is imported or called for it.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from chroma_plugin.errors import CorruptionError
from chroma_plugin.frozen import frozen

_CLASS: Final = ("chromadb.segment.impl.vector.local_persistent_hnsw", "PersistentData")
_VALUES: Final = frozenset(
    ("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BININT", "BININT1", "BININT2", "LONG1", "LONG4")
)
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_PASSED_OVER: Final = frozenset(("PROTO", "FRAME", "STOP"))


@frozen
class Labels:
    """The vectors that are in the files."""

    of_id: dict[str, int]
    last_change: int
    """The number of the last change that is in the files, where this file says so; else 0."""


def read(path: Path) -> Labels:
    """Raises CorruptionError when it holds anything but what chromadb writes there."""
    if not path.is_file():
        # Fewer changes than the sync_threshold: nothing was written to the files yet.
        return Labels({}, 0)
    content = _decoded(path)
    labels = content.get("id_to_label") if isinstance(content, dict) else None
    if not isinstance(labels, dict) or not all(type(id) is str and type(at) is int for id, at in labels.items()):
        raise CorruptionError(f"{path} has no table of labels in it.")
    last = content.get("max_seq_id")
    return Labels(labels, last if type(last) is int else 0)


def _decoded(path: Path) -> Any:
    reader = _Reader()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an escape that is none is no text of chromadb's
            for opcode, argument, _ in pickletools.genops(path.read_bytes()):
                reader.step(opcode.name, argument)
        return reader.result()
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, Warning) as error:
        raise CorruptionError(f"{path} is not the table that chromadb writes: {error}.") from error


class _Mark:
    """Where a group of items begins."""


class _Name:
    """A class that was named, and is not looked up."""


class _Reader:
    """A stack, and the few opcodes that put plain data on it."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._steps: dict[str, Callable[[Any], None]] = {
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "MARK": lambda _: self._stack.append(_Mark),
            "SETITEM": lambda _: self._set_items([self._stack.pop(-2), self._stack.pop()]),
            "SETITEMS": lambda _: self._set_items(self._since_mark()),
            "MEMOIZE": lambda _: self._keep(len(self._memo)),
            "BINPUT": self._keep,
            "LONG_BINPUT": self._keep,
            "BINGET": lambda place: self._stack.append(self._memo[place]),
            "LONG_BINGET": lambda place: self._stack.append(self._memo[place]),
            "GLOBAL": lambda name: self._name(tuple(name.split(" "))),
            "STACK_GLOBAL": lambda _: self._name((self._stack.pop(-2), self._stack.pop())),
            "NEWOBJ": lambda _: self._attributes(),
            "BUILD": lambda _: self._build(),
        }

    def step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in self._steps:
            self._steps[name](argument)
        elif name not in _PASSED_OVER:
            raise ValueError(f"it has the opcode {name}, which plain data does not need")

    def result(self) -> Any:
        (value,) = self._stack
        return value

    def _keep(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _since_mark(self) -> list[Any]:
        start = len(self._stack) - 1 - self._stack[::-1].index(_Mark)
        items = self._stack[start + 1 :]
        del self._stack[start:]
        return items

    def _set_items(self, items: list[Any]) -> None:
        self._stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _name(self, name: tuple[Any, ...]) -> None:
        if name != _CLASS:
            raise ValueError(f"it names {name}, which is never loaded")
        self._stack.append(_Name)

    def _attributes(self) -> None:
        if self._stack.pop() != () or self._stack.pop() is not _Name:
            raise ValueError("it makes an object that is not chromadb's")
        self._stack.append({})

    def _build(self) -> None:
        attributes = self._stack.pop()
        self._stack[-1].update(attributes)
