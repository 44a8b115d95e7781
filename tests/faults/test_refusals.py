"""The same without a shim: what the system really says, and a store that goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from faults.nursery import Nursery

import chroma_plugin
from chroma_plugin.errors import StorageError


@pytest.mark.faults
@pytest.mark.parametrize("how", ["large files", "descriptors", "full disk"])
def test_writes_are_refused_and_allowed_again(nursery: Nursery, tmp_path: Path, how: str) -> None:
    """Reads go on, no half batch, and the next opening finds what was shown."""
    outcome = nursery.run("refusals:refuse", directory=str(tmp_path / "place"), how=how)
    if outcome.told("impossible:"):
        pytest.skip(outcome.lines[0])
    assert not outcome.late, outcome.errors
    assert not outcome.status, outcome.errors
    assert outcome.lines[-1] == "right"
    assert outcome.told("refused")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    """Opening says so, and what to do; what is there can be read."""
    with chroma_plugin.PersistentClient(tmp_path / "store") as client:
        client.create_collection("first", embedding_function=None).add(ids=["a"], embeddings=[[1.0, 2.0]])
    for path in (*(tmp_path / "store").rglob("*"), tmp_path / "store"):
        path.chmod(0o555 if path.is_dir() else 0o444)

    with pytest.raises(StorageError, match="read_only=True"):
        chroma_plugin.PersistentClient(tmp_path / "store")
    with chroma_plugin.PersistentClient(tmp_path / "store", read_only=True) as client:
        assert client.get_collection("first", embedding_function=None).get()["ids"] == ["a"]
    (tmp_path / "store").chmod(0o755)
