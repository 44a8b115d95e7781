"""What a plug-in registers: frozen descriptions, so that nothing is imported before it is used.

``open``, ``load`` are strings of the form ``"package.module:attribute"``.
"""

from __future__ import annotations

from typing import Final

from chroma_plugin.frozen import frozen

API_VERSION: Final = 1
"""The version of the contract in `chroma_plugin.backend`. A plug-in written for another one is reported, not loaded."""


@frozen
class BackendSpec:
    """A storage engine that people choose by name."""

    name: str
    """What users write: ``Settings(chroma_db_impl=name)``."""
    open: str
    """``"module:callable"``; called with one instance of ``options``, returns a `chroma_plugin.backend.Backend`."""
    options: str
    """``"module:dataclass"``; its fields are the options users may give, with their defaults."""
    summary: str = ""
    """One line for ``chroma-plugin plugins``."""
    repair: str = ""
    """``"module:callable"``; called with one instance of ``options``, returns a `chroma_plugin.repairing.Repairer`.
    Empty: ``chroma-plugin doctor --repair`` can't mend what this engine keeps.
    """
    aliases: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    """Modules that must be importable, e.g. ``("duckdb",)``."""
    install: str = ""
    """The line that installs what is missing, e.g. ``pip install chroma-plugin[duckdb]``."""
    api: int = API_VERSION


@frozen
class EmbeddingSpec:
    """An embedding function that a collection's stored configuration may name."""

    name: str
    load: str
    """``"module:class"``; the class follows `chroma_plugin.embedding_functions.EmbeddingFunction`."""
    summary: str = ""
    aliases: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    install: str = ""
    api: int = API_VERSION


@frozen
class IntegrationSpec:
    """An adapter that ``collection.adapt(name, ...)`` makes."""

    name: str
    load: str
    """``"module:callable"``; called with the collection and the caller's keyword arguments."""
    summary: str = ""
    aliases: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    install: str = ""
    api: int = API_VERSION


Spec = BackendSpec | EmbeddingSpec | IntegrationSpec
