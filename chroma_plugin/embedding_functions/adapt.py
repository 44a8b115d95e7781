"""What people pass as ``embedding_function=``, as something to embed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from chroma_plugin.embedding_functions.langchain import LangChainEmbeddings, is_langchain
from chroma_plugin.embedding_functions.lookup import find
from chroma_plugin.embedding_functions.protocol import EmbeddingFunction
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.wording import shown

if TYPE_CHECKING:
    from chroma_plugin.plugins.manager import PluginManager


def adapt(value: Any, plugins: PluginManager | None = None) -> EmbeddingFunction[Any] | None:
    """An embedding function, or None for None.

    Accepted: an `EmbeddingFunction`, or any callable that takes a list of texts and returns a vector for each, both
    given back as they are; a LangChain ``Embeddings`` object, wrapped; the name of a registered function, such as
    ``"default"``, built with its defaults.

    Raises InvalidArgumentError for anything else, UnknownPluginError for a name that is not registered.
    """
    if value is None or isinstance(value, EmbeddingFunction):
        return value
    if isinstance(value, str):
        return cast("EmbeddingFunction[Any]", find(value, plugins)())
    if isinstance(value, type):
        raise InvalidArgumentError(
            f"embedding_function is the class {value.__qualname__}, not an embedding function: pass an instance, "
            f"{value.__qualname__}(...)."
        )
    if is_langchain(value):
        return LangChainEmbeddings(value)
    if callable(value):
        # Only the call is needed; embed, identity and spaces look for the other methods where they use them.
        return cast("EmbeddingFunction[Any]", value)
    raise InvalidArgumentError(
        "embedding_function must be an EmbeddingFunction, a callable that takes a list of texts and returns a "
        "vector for each, a LangChain Embeddings object, the name of a registered function (such as 'default'), or "
        f"None; it is {shown(value)} ({type(value).__name__})."
    )
