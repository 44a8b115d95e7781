"""Which embedding function a collection was made with: written down, compared, found again.

The stored form is Chroma's, as plain JSON::

    {"type": "known", "name": "default", "config": {...}}     can be built again from its name
    {"type": "legacy"}                                         there was one, but it has no name
    None                                                       none: the collection takes embeddings only
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from chroma_plugin.errors import EmbeddingFunctionError

Identity: TypeAlias = Mapping[str, Any] | None

LEGACY: Final = "legacy"
KNOWN: Final = "known"

# Two names of one model.
_SAME_VECTORS: Final = {"onnx_mini_lm_l6_v2": "default"}

# Settings of any function that change its vectors; others (a device, a batch size, where a key comes from) may differ.
_VECTOR_KEYS: Final = frozenset(
    {
        "model",
        "model_id",
        "model_name",
        "deployment_id",
        "revision",
        "weights_sha256",
        "dimension",
        "dimensions",
        "output_dimension",
        "normalize_embeddings",
        "seed",
    }
)


def identity(function: Any) -> dict[str, Any] | None:
    """What a collection stores about its embedding function: a new dict of plain JSON, or None for none.

    Raises EmbeddingFunctionError when its configuration is not plain JSON.
    """
    if function is None:
        return None
    name, config = _answer(function, "name"), _answer(function, "get_config")
    if not (isinstance(name, str) and name) or not isinstance(config, Mapping):
        return {"type": LEGACY}
    return {"type": KNOWN, "name": name, "config": _plain_json(name, config)}


def _answer(function: Any, method: str) -> Any:
    """What the method returns; None when there is none, or only the unwritten one of the base class."""
    found = getattr(function, method, None)
    if not callable(found):
        return None
    try:
        return found()
    except NotImplementedError:
        return None


def _plain_json(name: str, config: Mapping[str, Any]) -> Any:
    try:
        return json.loads(json.dumps(dict(config), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise EmbeddingFunctionError(
            f"get_config() of the embedding function {name!r} is not plain JSON ({error}), so the collection can't "
            "remember it. Return a dict of strings, numbers, booleans, lists and dicts."
        ) from error


def describe(function: Any) -> str:
    """The function as error messages call it: its name where it has one, else its type."""
    name = _answer(function, "name")
    if isinstance(name, str) and name:
        return repr(name)
    label = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{label} (which has no name)"


def known_name(stored: Identity) -> str | None:
    """The name in a stored form, or None when it holds none."""
    if not isinstance(stored, Mapping) or stored.get("type") != KNOWN:
        return None
    name = stored.get("name")
    return name if isinstance(name, str) and name else None


def check_same(stored: Identity, function: Any, collection_name: str) -> None:
    """Return when the collection may be used with this function; else raise EmbeddingFunctionError.

    Vectors of two functions can't be compared, so the names must be equal, and the settings that change the vectors. A
    collection that stored no name accepts any function, and None (the caller brings embeddings) is always accepted.
    """
    stored_name = known_name(stored)
    if stored is None or stored_name is None or function is None:
        return
    given = identity(function)
    given_name = known_name(given)
    if given is None or given_name is None or _canonical(given_name) != _canonical(stored_name):
        raise EmbeddingFunctionError(
            f"Collection {collection_name!r} was made with the embedding function {stored_name!r}, not with "
            f"{describe(function)}. " + _how_to_proceed(stored_name)
        )
    differences = _differences(stored.get("config"), given["config"])
    if differences:
        raise EmbeddingFunctionError(
            f"Collection {collection_name!r} was made with the embedding function {stored_name!r} in another "
            f"configuration: {'; '.join(differences)}. " + _how_to_proceed(stored_name)
        )


def _canonical(name: str) -> str:
    return _SAME_VECTORS.get(name, name)


def _differences(stored: Any, given: Mapping[str, Any]) -> list[str]:
    stored = stored if isinstance(stored, Mapping) else {}
    shared = sorted(_VECTOR_KEYS & stored.keys() & given.keys())
    return [f"{key} was {stored[key]!r}, is {given[key]!r}" for key in shared if stored[key] != given[key]]


def _how_to_proceed(name: str) -> str:
    return (
        f"Vectors of two functions can't be compared. Open it with {name!r} as it was (or leave embedding_function "
        "out), or make a new collection and add the documents there, so that they are embedded again."
    )
