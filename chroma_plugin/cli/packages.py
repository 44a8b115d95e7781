"""The packages that chroma-plugin uses: which are here, and what one does without each."""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec
from typing import Final

from chroma_plugin.frozen import frozen


@frozen
class Package:
    """A package that may be installed."""

    distribution: str
    module: str
    purpose: str
    without: str
    """What happens where it is missing."""
    install: str
    required: bool = True


_BASE: Final = "pip install --force-reinstall chroma-plugin"

PACKAGES: Final = (
    Package("numpy", "numpy", "embeddings", "nothing works", _BASE),
    Package("pluggy", "pluggy", "plug-ins", "nothing works", _BASE),
    Package("duckdb", "duckdb", "stores on disk, Parquet", "stores in memory only", _BASE),
    Package("orjson", "orjson", "metadata on disk", "stores in memory only", _BASE),
    Package("google-re2", "re2", "$regex in filters", "filters with $regex are refused", _BASE),
    Package(
        "tokenizers", "tokenizers", "the default embedding function", "bring embeddings, or another function", _BASE
    ),
    Package(
        "safetensors", "safetensors", "the default embedding function", "bring embeddings, or another function", _BASE
    ),
    Package("tqdm", "tqdm", "progress of the model's download", "no default embedding function", _BASE),
    Package(
        "hnswlib",
        "hnswlib",
        "the index for large collections",
        "every search is exact: right, and slower from some 100,000 records on",
        "pip install 'chroma-plugin[hnsw]' (needs a C++ compiler: apt-get install g++ python3-dev)",
        required=False,
    ),
    Package(
        "typer", "typer", "this command line", "no command line", "pip install 'chroma-plugin[cli]'", required=False
    ),
    Package("rich", "rich", "this command line", "no command line", "pip install 'chroma-plugin[cli]'", required=False),
    Package(
        "starlette",
        "starlette",
        "the server (chroma-plugin run)",
        "this machine can't serve a database",
        "pip install 'chroma-plugin[server]'",
        required=False,
    ),
    Package(
        "httpx",
        "httpx",
        "clients of a server",
        "HttpClient can't be used",
        "pip install 'chroma-plugin[rest]'",
        required=False,
    ),
)


def version(package: Package) -> str | None:
    """The installed version, or None where the package can't be imported. It is looked up, not imported."""
    if find_spec(package.module) is None:
        return None
    try:
        return metadata.version(package.distribution)
    except metadata.PackageNotFoundError:
        return "?"
