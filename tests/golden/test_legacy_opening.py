"""A directory that the real Chroma 0.3.29 wrote opens directly, and answers as that release did."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chroma_plugin
from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.errors import CorruptionError, EmbeddingFunctionError, InvalidArgumentError

GOLDEN = Path(__file__).parent / "chroma-0.3.29"
ANSWERS: dict[str, Any] = json.loads((Path(__file__).parent / "chroma-0.3.29.json").read_text("utf-8"))
PARQUET = ("chroma-collections.parquet", "chroma-embeddings.parquet")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy that may be written to."""
    return shutil.copytree(GOLDEN, tmp_path / "old")


def early(directory: Path) -> Any:
    """The client as people of that time wrote it."""
    settings = chroma_plugin.Settings(chroma_db_impl="duckdb+parquet", persist_directory=str(directory))
    return chroma_plugin.Client(settings)


@pytest.mark.parametrize("open_it", [chroma_plugin.PersistentClient, early])
def test_collections_and_records_are_there(directory: Path, open_it: Any) -> None:
    """Names, metadata, ids, documents, metadata of records, and the embeddings as float32."""
    with open_it(directory) as client:
        assert [collection.name for collection in client.list_collections()] == list(ANSWERS)
        for name, answer in ANSWERS.items():
            collection = client.get_collection(name)
            found = collection.get(include=["embeddings", "documents", "metadatas"])
            expected = answer["records"]
            assert collection.metadata == answer["metadata"]
            assert (found["ids"], found["documents"], found["metadatas"]) == (
                expected["ids"],
                expected["documents"],
                expected["metadatas"],
            )
            if expected["ids"]:
                np.testing.assert_array_equal(found["embeddings"], np.array(expected["embeddings"], np.float32))


def test_queries_answer_as_they_did(directory: Path) -> None:
    """The same nearest records at the same distances, in cosine and in l2."""
    with chroma_plugin.PersistentClient(directory) as client:
        for name in ("animals", "plain"):
            answer = ANSWERS[name]
            queries = answer["records"]["embeddings"][:3]
            found = client.get_collection(name).query(query_embeddings=queries, n_results=5, include=["distances"])
            assert found["ids"] == answer["nearest"]["ids"]
            np.testing.assert_allclose(found["distances"], answer["nearest"]["distances"], atol=2e-6)


def test_filters_work_on_what_was_taken_over(directory: Path) -> None:
    """Metadata and documents can be filtered."""
    with chroma_plugin.PersistentClient(directory) as client:
        animals = client.get_collection("animals")
        assert animals.get(where={"large": 2**53 + 1})["ids"] == ["animal-9"]
        assert animals.get(where={"weight": {"$lt": 0}})["ids"] == ["animal-9"]
        assert animals.get(where_document={"$contains": "墊子"})["ids"] == ["animal-3"]


def test_the_second_opening_keeps_what_was_written(directory: Path) -> None:
    """The files are taken over once: later writes and deletions are there when it is opened again."""
    with chroma_plugin.PersistentClient(directory) as client:
        client.get_collection("plain").add(ids="new", embeddings=[1, 2, 3])
        client.delete_collection("animals")
    with chroma_plugin.PersistentClient(directory) as client:
        assert [collection.name for collection in client.list_collections()] == ["plain", "empty"]
        assert client.get_collection("plain").count() == 10


def test_the_old_files_stay_as_they_are(directory: Path) -> None:
    """No byte of what 0.3.x wrote is changed: the directory still opens there."""
    with chroma_plugin.PersistentClient(directory) as client:
        client.get_collection("plain").delete(ids=["p0"])
    for path in GOLDEN.rglob("*"):
        if path.is_file():
            assert (directory / path.relative_to(GOLDEN)).read_bytes() == path.read_bytes()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


def test_poisoned_pickles_do_nothing(directory: Path, tmp_path: Path) -> None:
    """With every pickle poisoned the directory opens all the same, and nothing in them runs."""
    exploded = tmp_path / "exploded"
    pickles = list((directory / "index").glob("*.pkl"))
    for path in pickles:
        path.write_bytes(pickle.dumps(Bomb(exploded)))
    with chroma_plugin.PersistentClient(directory) as client:
        assert client.get_collection("animals").query(query_embeddings=[1, 2, 3, 4, 5, 6], n_results=12)["ids"]
    assert len(pickles) == 6
    assert not exploded.exists()
    pickle.loads(pickles[0].read_bytes())
    assert exploded.exists()


def test_texts_need_the_embedding_function(directory: Path) -> None:
    """0.3.x did not store which function it was: none is guessed, and any can be given."""
    with chroma_plugin.PersistentClient(directory) as client:
        with pytest.raises(EmbeddingFunctionError, match="embedding_function"):
            client.get_collection("animals").query(query_texts="cat")
        function = HashingEmbeddingFunction(dimension=8)
        given = client.get_collection("empty", embedding_function=function)
        given.add(ids="a", documents="cat")
        assert given.query(query_texts="cat", n_results=1)["ids"] == [["a"]]


@pytest.mark.parametrize("name", PARQUET)
def test_a_damaged_directory_is_not_opened_empty(directory: Path, name: str) -> None:
    """A file that is cut off is an error, and the directory is as it was."""
    (directory / name).write_bytes((directory / name).read_bytes()[:-20])
    before = sorted(path for path in directory.rglob("*"))
    with pytest.raises(CorruptionError, match=name):
        chroma_plugin.PersistentClient(directory)
    assert sorted(path for path in directory.rglob("*") if not path.name.endswith(".lock")) == before


def test_a_fault_takes_over_nothing(directory: Path) -> None:
    """Records that can't be taken over leave the directory as it was, so that opening it again says the same."""
    import duckdb

    good = directory / "good.parquet"
    (directory / PARQUET[1]).rename(good)
    query = f"SELECT * REPLACE (if(id = 'p9', '[1]', metadata) AS metadata) FROM read_parquet('{good}')"
    with duckdb.connect() as connection:
        connection.sql(query).write_parquet(str(directory / PARQUET[1]))
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match="'plain'"):
            chroma_plugin.PersistentClient(directory)
    (directory / PARQUET[1]).unlink()
    good.rename(directory / PARQUET[1])
    with chroma_plugin.PersistentClient(directory) as client:
        assert client.get_collection("plain").count() == 9
