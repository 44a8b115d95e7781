"""The import path ``chromadb.utils.embedding_functions``."""

from __future__ import annotations

from chroma_plugin.embedding_functions import *  # noqa: F403  # whatever that module exports
from chroma_plugin.embedding_functions import __all__ as __all__
