"""hnswlib needs a compiler; whoever has none loses speed, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

SCRIPT = """
    import sys, warnings
    sys.modules["hnswlib"] = sys.modules["numkong"] = None  # as if they were not installed
    import numpy as np
    import chroma_plugin as chromadb

    vectors = np.random.default_rng(0).standard_normal((12_000, 8)).astype(np.float32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for turn in range(2):
            with chromadb.PersistentClient(sys.argv[1]) as client:
                collection = client.get_or_create_collection("large", embedding_function=None)
                collection.upsert(ids=[str(n) for n in range(12_000)], embeddings=vectors)
                collection.create_index()
                found = collection.query(query_embeddings=vectors[:50], n_results=1)["ids"]
                assert found == [[str(n)] for n in range(50)]
                assert collection.info()["store"]["index"] == "exact"
    print([str(warning.message) for warning in caught])
"""


STRICT = """
    import sys, warnings
    sys.modules["hnswlib"] = sys.modules["numkong"] = None
    warnings.simplefilter("error")
    import numpy as np
    import chroma_plugin as chromadb

    collection = chromadb.Client().create_collection("large", embedding_function=None)
    for start in (0, 12_000):
        collection.add(ids=[str(start + n) for n in range(12_000)], embeddings=np.ones((12_000, 2), np.float32))
    print(collection.count())
"""


def test_a_write_that_was_kept_does_not_fail_for_the_notice() -> None:
    """Where warnings are errors the notice goes to the log, and the write returns as usual."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(STRICT)], capture_output=True, text=True, check=False)

    assert done.stdout == "24000\n", done.stderr
    assert done.stderr.count("pip install 'chroma-plugin[hnsw]'") == 1


def test_everything_works_exactly_with_one_notice(tmp_path: Path) -> None:
    """Twelve thousand records are added, indexed and searched; one warning names the line that installs hnswlib."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pip install 'chroma-plugin[hnsw]'") == 1
    assert done.stdout.count("hnswlib is not installed") == 1
