"""What `import chroma_plugin` gives and costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import chroma_plugin as chromadb


def loaded_by(code: str) -> set[str]:
    """The modules that a new interpreter has after running the code."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_imports_nothing_heavy() -> None:
    """The package itself imports nothing but the standard library; a client in memory adds numpy and pluggy."""
    heavy = {"numpy", "pluggy", "duckdb", "hnswlib", "tokenizers", "tqdm", "orjson", "re2", "langchain_core", "asyncio"}

    assert not heavy & loaded_by("import chroma_plugin")
    made = loaded_by("import chroma_plugin\nchroma_plugin.Client().create_collection('things')")
    assert not (heavy - {"numpy", "pluggy", "orjson", "re2"}) & made


@pytest.mark.parametrize("name", chromadb.__all__)
def test_every_public_name(name: str) -> None:
    """Each name of __all__ is there, and dir() shows it."""
    assert getattr(chromadb, name) is not None
    assert name in dir(chromadb)


def test_no_other_name() -> None:
    """A name that does not exist is an AttributeError."""
    with pytest.raises(AttributeError, match="nosuch"):
        _ = chromadb.nosuch


def test_the_paths_of_chromadb() -> None:
    """Code that names chromadb's modules finds the same things here."""
    from chroma_plugin.api import AsyncClientAPI, ClientAPI
    from chroma_plugin.api.models.AsyncCollection import AsyncCollection
    from chroma_plugin.api.models.Collection import Collection
    from chroma_plugin.api.types import Documents, EmbeddingFunction, Embeddings, Include, Where
    from chroma_plugin.config import Settings
    from chroma_plugin.utils import embedding_functions
    from chroma_plugin.utils.embedding_functions import DefaultEmbeddingFunction

    assert (Collection, AsyncCollection) == (chromadb.Collection, chromadb.AsyncCollection)
    assert (ClientAPI, AsyncClientAPI) == (chromadb.Client, chromadb.AsyncClient)
    assert Settings is chromadb.Settings
    assert EmbeddingFunction is chromadb.EmbeddingFunction
    assert embedding_functions.DefaultEmbeddingFunction is DefaultEmbeddingFunction
    assert None not in (Documents, Embeddings, Include, Where)
