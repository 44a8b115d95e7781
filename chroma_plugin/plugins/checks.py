"""What a plug-in returned, checked: the right class, the right API version, fields of the right form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from chroma_plugin.plugins.specs import API_VERSION, BackendSpec, EmbeddingSpec, IntegrationSpec, Spec
from chroma_plugin.wording import shown

KINDS: Final[dict[type[Spec], str]] = {
    BackendSpec: "backend",
    EmbeddingSpec: "embedding function",
    IntegrationSpec: "integration",
}

_NAME: Final = re.compile(r"[^\s,]+")
_TARGET: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_target(target: object) -> bool:
    """Whether this is ``"package.module:attribute"``."""
    return isinstance(target, str) and _TARGET.fullmatch(target) is not None


def targets(spec: Spec) -> dict[str, str]:
    """The fields of a spec that name something to import."""
    if isinstance(spec, BackendSpec):
        return {"open": spec.open, "options": spec.options} | ({"repair": spec.repair} if spec.repair else {})
    return {"load": spec.load}


def names_of(spec: Any) -> tuple[str, ...]:
    """The name and the aliases, as far as they are text; the spec may not have been checked yet."""
    aliases = spec.aliases if isinstance(spec.aliases, tuple) else ()
    return tuple(name for name in (spec.name, *aliases) if isinstance(name, str))


def wrong_version(spec: Spec) -> str:
    """Why the spec is of another API version, or the empty string."""
    if spec.api == API_VERSION:
        return ""
    return f"written for API {shown(spec.api)} of chroma_plugin, this release has API {API_VERSION}"


def wrong_field(spec: Any) -> str:
    """What is wrong with the first field that is, or the empty string."""
    for field, target in targets(spec).items():
        if not is_target(target):
            return f"{field} must be 'module:attribute', got {shown(target)}"
    for field, texts in (("aliases", spec.aliases), ("requires", spec.requires)):
        if not _is_texts(texts):
            return f"{field} must be a tuple of str, got {shown(texts)}"
    for name in (spec.name, *spec.aliases):
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            return f"a name must be a str without spaces and commas, got {shown(name)}"
    for field, text in (("summary", spec.summary), ("install", spec.install)):
        if not isinstance(text, str):
            return f"{field} must be a str, got {shown(text)}"
    return ""


def _is_texts(texts: Any) -> bool:
    return isinstance(texts, tuple) and all(isinstance(text, str) and text for text in texts)


def as_specs(returned: object) -> list[object]:
    """The items that a hook returned. Raises TypeError for one spec without a list around it, a str, or no iterable."""
    if isinstance(returned, str | bytes) or not isinstance(returned, Iterable):
        raise TypeError(f"it must return an iterable of specs, got {shown(returned)}")
    return list(returned)
