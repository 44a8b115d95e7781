"""The same without a shim: what the system really says, and a store that goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faults.nursery import Nursery

import chroma_plugin


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


_MAY_NOT_WRITE = """
import sys, chroma_plugin

try:
    chroma_plugin.PersistentClient(sys.argv[1])
except chroma_plugin.errors.StorageError as error:
    print(error)
with chroma_plugin.PersistentClient(sys.argv[1], read_only=True) as client:
    print(client.get_collection("first", embedding_function=None).get()["ids"])
"""


def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    """Opening says so, and what to do; what is there can be read."""
    like_others = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root may write everywhere, and no setpriv is here to take that from it")
        like_others = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    with chroma_plugin.PersistentClient(tmp_path / "store") as client:
        client.create_collection("first", embedding_function=None).add(ids=["a"], embeddings=[[1.0, 2.0]])
    for path in (*(tmp_path / "store").rglob("*"), tmp_path / "store"):
        path.chmod(0o555 if path.is_dir() else 0o444)

    command = [*like_others, sys.executable, "-c", _MAY_NOT_WRITE, tmp_path / "store"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    (tmp_path / "store").chmod(0o755)
    assert done.returncode == 0, done.stderr
    refused, read = done.stdout.splitlines()
    assert "Permission denied" in refused
    assert "read_only=True" in refused
    assert read == "['a']"
