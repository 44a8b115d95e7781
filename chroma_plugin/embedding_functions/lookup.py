"""The class of an embedding function, by its registered name. Names that are not registered never import anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chroma_plugin.embedding_functions.register import registered

if TYPE_CHECKING:
    from chroma_plugin.plugins.manager import PluginManager


def find(name: str, plugins: PluginManager | None = None) -> Any:
    """The class registered in this process by `register_embedding_function`, else the one that a plug-in brings.

    Raises UnknownPluginError for an unknown name, MissingDependencyError when the class needs a package that is not
    installed.
    """
    own = registered(name)
    if own is not None:
        return own
    # Both are imported here: the plug-ins know the embedding functions, not the other way round.
    from chroma_plugin.plugins import default_manager, load

    return load((plugins or default_manager()).embedding_function(name))
