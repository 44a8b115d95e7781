"""Which embedding function a collection object gets: the one given, the one remembered, or the default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.errors import InvalidArgumentError

if TYPE_CHECKING:
    from chroma_plugin.embedding_functions import EmbeddingFunction
    from chroma_plugin.plugins import PluginManager
    from chroma_plugin.types import CollectionInfo


class _NotGiven:
    """Stands for an ``embedding_function`` that was left out; None would mean that there is none."""

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = _NotGiven()


def for_new(given: Any, configuration: Any, plugins: PluginManager) -> EmbeddingFunction[Any] | None:
    """The function of a new collection; it may be given in the configuration as well. No model is loaded."""
    from chroma_plugin.embedding_functions import adapt

    configured = (configuration or {}).get("embedding_function")
    if configured is None:
        return adapt("default" if given is DEFAULT else given, plugins)
    if given is not DEFAULT and given is not configured:
        raise InvalidArgumentError(
            "embedding_function and configuration['embedding_function'] are two different functions; give one of them."
        )
    return adapt(configured, plugins)


def for_existing(given: Any, info: CollectionInfo, plugins: PluginManager) -> EmbeddingFunction[Any] | None:
    """The function for a collection that exists. Raises EmbeddingFunctionError when another one is given."""
    from chroma_plugin.embedding_functions import adapt, check_same, resolve

    stored = info.configuration.get("embedding_function")
    if given is DEFAULT:
        return resolve(stored, plugins)
    function = adapt(given, plugins)
    check_same(stored, function, info.name)
    return function
