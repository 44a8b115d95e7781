"""From a spec to the real thing: requirements, imports, and an open backend."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import reduce
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from chroma_plugin.errors import MissingDependencyError, PluginError
from chroma_plugin.plugins.checks import KINDS, is_target, targets
from chroma_plugin.plugins.specs import BackendSpec, Spec
from chroma_plugin.wording import shown

if TYPE_CHECKING:
    from chroma_plugin.backend import Backend
    from chroma_plugin.repairing import Repairer


def load(spec: Spec) -> Any:
    """The class or function that a spec names (``open`` of a backend, else ``load``).

    Raises MissingDependencyError with the line that installs what is missing, PluginError when there is no such thing.
    """
    require(spec)
    field = "open" if isinstance(spec, BackendSpec) else "load"
    return load_field(spec, field)


def open_backend(spec: BackendSpec, options: Mapping[str, object] | None = None) -> Backend:
    """An open database. The caller closes it.

    ``options`` are checked against the spec's dataclass and read from text where needed; a wrong one is an
    InvalidArgumentError. Otherwise as `load`, and whatever the backend itself raises.
    """
    from chroma_plugin.backend import Backend
    from chroma_plugin.plugins.options import build_options

    opener = load(spec)
    backend = opener(build_options(spec, options or {}))
    if not isinstance(backend, Backend):
        raise PluginError(f"{told(spec)}: {spec.open} must return a Backend, got {shown(backend)}.")
    return backend


def repairer(spec: BackendSpec, options: Mapping[str, object]) -> Repairer | None:
    """What mends a store of that backend; None when it has nothing that does."""
    from chroma_plugin.plugins.options import build_options

    if not spec.repair:
        return None
    require(spec)
    made: Repairer = load_field(spec, "repair")(build_options(spec, options))
    return made


def require(spec: Spec) -> None:
    """Raises MissingDependencyError when a module of ``spec.requires`` is not installed."""
    missing = missing_requirement(spec)
    if missing:
        raise MissingDependencyError(f"{told(spec)} {missing}")


def missing_requirement(spec: Spec) -> str:
    """``"needs duckdb: pip install chroma-plugin[duckdb]"``, or the empty string. Imports only parent packages."""
    missing = [module for module in spec.requires if not _is_importable(module)]
    if not missing:
        return ""
    return f"needs {', '.join(missing)}: {spec.install or f'install the distribution that has {missing[0]}'}"


def load_field(spec: Spec, field: str) -> Any:
    """What one ``"module:attribute"`` of a spec names. Raises PluginError that says which spec and field."""
    target = targets(spec)[field]
    if not is_target(target):
        raise PluginError(f"{told(spec)}: {field} must be 'module:attribute', got {shown(target)}.")
    module, _, attribute = target.partition(":")
    try:
        return reduce(getattr, attribute.split("."), importlib.import_module(module))
    except Exception as error:  # a module of somebody else: it may raise anything
        reason = f"{type(error).__name__}: {error}"
        raise PluginError(f"{told(spec)}: {field}={target!r} can't be loaded. {reason}") from error


def told(spec: Spec) -> str:
    """The spec in an error message, e.g. ``Backend 'duckdb'``."""
    kind = next(text for cls, text in KINDS.items() if isinstance(spec, cls))
    return f"{kind[0].upper()}{kind[1:]} {spec.name!r}"


def _is_importable(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a parent package is missing, or is something that only looks like a module
        return False
