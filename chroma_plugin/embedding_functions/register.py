"""Embedding functions that the running program registers itself, without a plug-in."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Final, TypeVar, overload

from chroma_plugin.errors import InvalidArgumentError, PluginError
from chroma_plugin.wording import shown

Class = TypeVar("Class", bound=type)

BUILT_IN: Final = frozenset({"default", "onnx_mini_lm_l6_v2", "hashing"})

_classes: Final[dict[str, type]] = {}
_lock: Final = Lock()


@overload
def register_embedding_function(ef_class: Class) -> Class: ...
@overload
def register_embedding_function(ef_class: None = None) -> Callable[[Class], Class]: ...
def register_embedding_function(ef_class: Any = None) -> Any:
    """The class itself, now registered by its ``name()`` for this process: collections that name it are opened with it.

    A decorator, with or without parentheses. Running the definition again (a notebook cell) replaces it; another class
    of the same name is a PluginError, a class without a name an InvalidArgumentError.
    """
    return _register if ef_class is None else _register(ef_class)


def registered(name: str) -> type | None:
    """The class that this process registered under the name, or None."""
    return _classes.get(name)


def _register(ef_class: Class) -> Class:
    name = _name_of(ef_class)
    if name in BUILT_IN:
        raise PluginError(
            f"The name {name!r} belongs to a built-in embedding function; choose another for {_path(ef_class)}."
        )
    with _lock:
        other = _classes.get(name)
        if other is not None and _path(other) != _path(ef_class):
            raise PluginError(
                f"Two embedding functions are named {name!r}: {_path(other)} and {_path(ef_class)}. Rename one of them."
            )
        _classes[name] = ef_class
    return ef_class


def _name_of(ef_class: Any) -> str:
    if not isinstance(ef_class, type):
        raise InvalidArgumentError(f"register_embedding_function takes a class; it got {shown(ef_class)}.")
    try:
        name = ef_class.name()  # type: ignore[attr-defined]  # any class; what is missing is told below
    except (AttributeError, NotImplementedError, TypeError) as error:
        raise InvalidArgumentError(
            f"{_path(ef_class)} has no name: add `@staticmethod def name() -> str: ...`, under which collections "
            "remember it."
        ) from error
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError(f"{_path(ef_class)}.name() must return a non-empty str; it returned {shown(name)}.")
    return name


def _path(ef_class: type) -> str:
    return f"{ef_class.__module__}.{ef_class.__qualname__}"
