"""The base install, without extras and without the source tree: what must work on any machine.

Run by `.ci/run` with the Python of an environment that holds the wheel alone, once with "compiled" and once with "pure"
as its argument: what the wheel is.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tempfile
import time
from pathlib import Path

started = time.perf_counter()
import chroma_plugin as chromadb  # noqa: E402

chromadb.Client  # noqa: B018
seconds, modules = time.perf_counter() - started, len(sys.modules)
heavy = {"duckdb", "hnswlib", "tokenizers", "safetensors", "tqdm", "langchain_core", "llama_index"} & set(sys.modules)
assert not heavy, f"import chroma_plugin imported {heavy}"


def use(client: chromadb.ClientAPI) -> None:
    collection = client.create_collection("smoke", embedding_function="hashing")
    collection.add(ids=["a", "b"], documents=["a red apple", "a blue car"], metadatas=[{"n": 1}, {"n": 2}])
    assert collection.query(query_texts="red apples", n_results=1)["ids"] == [["a"]]
    assert collection.get(where={"n": {"$gt": 1}})["ids"] == ["b"]


use(chromadb.Client())
with tempfile.TemporaryDirectory() as directory:
    with chromadb.PersistentClient(directory) as client:
        use(client)
    with chromadb.PersistentClient(directory) as client:
        assert client.get_collection("smoke", embedding_function="hashing").count() == 2

command = Path(sys.executable).with_name("chroma-plugin")
answer = subprocess.run([command, "doctor"], capture_output=True, text=True, check=False)
assert answer.returncode == 2, answer
assert "pip install" in answer.stderr, answer.stderr

from chroma_plugin import compiled  # noqa: E402

assert (sys.argv[1] == "compiled") == compiled.IS_THERE, compiled.IS_THERE

site = Path(chromadb.__file__).parent.parent
distributions = [found.metadata["Name"] for found in importlib.metadata.distributions()]
size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
print(f"smoke: import {seconds:.3f} s, {modules} modules; {len(distributions)} packages, {size / 1e6:.0f} MB")
