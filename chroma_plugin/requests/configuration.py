"""How a collection searches: Chroma's ``configuration`` and its legacy ``hnsw:*`` metadata, checked against bounds
and filled in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from chroma_plugin.errors import InvalidArgumentError, UnsupportedError
from chroma_plugin.frozen import frozen
from chroma_plugin.requests.shown import kind
from chroma_plugin.types import Metric
from chroma_plugin.wording import did_you_mean, plain_dict, shown


@frozen
class Parameter:
    """One key of ``configuration["hnsw"]``."""

    legacy: str
    """The key in a collection's metadata that early Chroma read."""
    default: float
    least: float
    most: float
    whole: bool = True
    changes: bool = True
    """`Collection.modify` may change it."""


PARAMETERS: Final[Mapping[str, Parameter]] = {
    "ef_construction": Parameter("hnsw:construction_ef", 100, 1, 100_000, changes=False),
    "max_neighbors": Parameter("hnsw:M", 16, 2, 512, changes=False),
    "ef_search": Parameter("hnsw:search_ef", 100, 1, 100_000),
    "num_threads": Parameter("hnsw:num_threads", os.cpu_count() or 1, 1, 4096),
    "batch_size": Parameter("hnsw:batch_size", 100, 2, 2**31 - 1),
    "sync_threshold": Parameter("hnsw:sync_threshold", 1000, 2, 2**31 - 1),
    "resize_factor": Parameter("hnsw:resize_factor", 1.2, 1, 1000, whole=False),
}
SPACE: Final = "space"
_KNOWN: Final = (SPACE, *PARAMETERS)
_LEGACY_SPACE: Final = "hnsw:space"
_SPACES: Final = tuple(metric.value for metric in Metric)
_LEGACY: Final = {_LEGACY_SPACE: SPACE} | {parameter.legacy: name for name, parameter in PARAMETERS.items()}
_SECTIONS: Final = ("hnsw", "spann", "embedding_function")


def created(configuration: Any, metadata: Mapping[str, Any] | None, default_space: str) -> dict[str, Any]:
    """The full ``hnsw`` section of a new collection: what was asked for, and defaults for the rest."""
    asked = _agreeing(hnsw_section(configuration), legacy_section(metadata))
    defaults = {SPACE: default_space} | {name: parameter.default for name, parameter in PARAMETERS.items()}
    return defaults | asked


def modified(current: Mapping[str, Any], configuration: Any, metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """The ``hnsw`` section after `Collection.modify`. Raises InvalidArgumentError for what can't change."""
    asked = _agreeing(hnsw_section(configuration), legacy_section(metadata))
    for name, value in asked.items():
        fixed = name == SPACE or not PARAMETERS[name].changes
        if fixed and value != current.get(name, value):
            raise InvalidArgumentError(
                f"{name} of a collection can't be changed from {current[name]!r} to {value!r}: "
                f"its index is built with it. Make a new collection and copy the records."
            )
    return {**current, **asked}


def hnsw_section(configuration: Any) -> dict[str, Any]:
    """The checked ``configuration["hnsw"]``, without what is None."""
    for name in configuration_sections(configuration):
        if name == "spann" and configuration[name] is not None:
            raise UnsupportedError("There is no SPANN index here; configure 'hnsw' instead.")
    section = (configuration or {}).get("hnsw")
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise InvalidArgumentError(f"configuration['hnsw'] must be a dict, not {kind(section)}.")
    return {
        name: _checked(name, value, f"configuration['hnsw'][{shown(name)}]")
        for name, value in plain_dict(section, "configuration['hnsw']").items()
        if value is not None
    }


def configuration_sections(configuration: Any) -> tuple[str, ...]:
    """The sections that are there. Raises InvalidArgumentError when it is no dict or has an unknown one."""
    if configuration is None:
        return ()
    if not isinstance(configuration, Mapping):
        raise InvalidArgumentError(
            f"configuration must be a dict such as {{'hnsw': {{...}}}}, not {kind(configuration)}."
        )
    names = tuple(plain_dict(configuration, "configuration"))
    for name in names:
        if not isinstance(name, str) or name not in _SECTIONS:
            raise InvalidArgumentError(
                f"configuration has no section {shown(name)}.{did_you_mean(shown(name), _SECTIONS)} "
                f"Its sections: {', '.join(_SECTIONS)}."
            )
    return names


def legacy_section(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the ``hnsw:*`` keys of a collection's metadata ask for, under the new names."""
    section = {}
    for key, value in (metadata or {}).items():
        if key.startswith("hnsw:"):
            if key not in _LEGACY:
                raise InvalidArgumentError(
                    f"metadata has the key {shown(key)}, which is no index parameter.{did_you_mean(key, _LEGACY)}"
                )
            section[_LEGACY[key]] = _checked(_LEGACY[key], value, f"metadata['{key}']")
    return section


def _agreeing(new: dict[str, Any], legacy: dict[str, Any]) -> dict[str, Any]:
    for name in new.keys() & legacy.keys():
        if new[name] != legacy[name]:
            key = next(key for key, meant in _LEGACY.items() if meant == name)
            raise InvalidArgumentError(
                f"configuration['hnsw']['{name}'] is {new[name]!r}, but metadata['{key}'] is {legacy[name]!r}; "
                f"give one of them."
            )
    return legacy | new


def _checked(name: Any, value: Any, where: str) -> Any:
    if not isinstance(name, str) or name not in _KNOWN:
        near = did_you_mean(shown(name), _KNOWN)
        raise InvalidArgumentError(f"{where} is unknown.{near} Known are {', '.join(_KNOWN)}.")
    if name == SPACE:
        if not isinstance(value, str) or value not in _SPACES:
            raise InvalidArgumentError(f"{where} must be one of {', '.join(map(repr, _SPACES))}, not {shown(value)}.")
        return value
    parameter = PARAMETERS[name]
    numeric = int if parameter.whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, numeric) or not parameter.least <= value <= parameter.most:
        number = "an int" if parameter.whole else "a number"
        raise InvalidArgumentError(
            f"{where} must be {number} from {parameter.least} to {parameter.most}, not {kind(value)}."
        )
    return value
