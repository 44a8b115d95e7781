"""A backend's options: its dataclass, and one instance of it made from what people gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from chroma_plugin.coerce import coerce
from chroma_plugin.errors import ChromaError, InvalidArgumentError, PluginError
from chroma_plugin.plugins.loading import load_field, require, told
from chroma_plugin.plugins.specs import BackendSpec
from chroma_plugin.wording import did_you_mean, shown


def option_fields(spec: BackendSpec) -> dict[str, dataclasses.Field[Any]]:
    """The options a backend takes, by name. Raises PluginError when ``spec.options`` names no dataclass."""
    return {field.name: field for field in dataclasses.fields(_options_class(spec)) if field.init}


def is_required(field: dataclasses.Field[Any]) -> bool:
    """Whether the option has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def build_options(spec: BackendSpec, given: Mapping[str, object]) -> Any:
    """An instance of the backend's dataclass, text read as the type of each field.

    Raises InvalidArgumentError for an unknown option (with the nearest), a missing one and a value that does not fit.
    """
    fields = option_fields(spec)
    for name in given:
        if name not in fields:
            raise InvalidArgumentError(unknown_option(spec, name, list(fields)))
    missing = [name for name, field in fields.items() if is_required(field) and name not in given]
    if missing:
        raise InvalidArgumentError(f"{told(spec)} needs the option {missing[0]!r}, e.g. Settings({missing[0]}=...).")
    hints = _hints(spec)
    values = {
        name: coerce(value, hints[name], f"{told(spec)}: option {name!r}", name=name) for name, value in given.items()
    }
    return _make(spec, values)


def unknown_option(spec: BackendSpec, name: str, known: list[str]) -> str:
    """The message for an option that the backend does not have."""
    listed = ", ".join(known) or "none"
    return f"{told(spec)} has no option {name!r}.{did_you_mean(name, known)} Its options: {listed}."


def _options_class(spec: BackendSpec) -> type[Any]:
    try:
        found = load_field(spec, "options")
    except PluginError:
        require(spec)  # the better answer, when the options can't be imported because a requirement is missing
        raise
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise PluginError(f"{told(spec)}: options={spec.options!r} must name a dataclass, got {shown(found)}.")
    return found


def _hints(spec: BackendSpec) -> dict[str, Any]:
    try:
        return get_type_hints(_options_class(spec), include_extras=True)
    except NameError as error:
        raise PluginError(
            f"{told(spec)}: a type in {spec.options} can't be resolved ({error}). Import it outside TYPE_CHECKING."
        ) from error


def _make(spec: BackendSpec, values: dict[str, object]) -> Any:
    try:
        return _options_class(spec)(**values)
    except ChromaError:
        raise
    except (TypeError, ValueError) as error:  # what a __post_init__ raises for a value it refuses
        raise InvalidArgumentError(f"{told(spec)} refuses its options: {error}") from error
