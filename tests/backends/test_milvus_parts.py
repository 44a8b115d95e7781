"""What the milvus backend makes of filters, texts, options and failures, without a Milvus where none is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed: pip install milvus-lite")

from chroma_plugin_milvus import expressions, pieces, tokens
from chroma_plugin_milvus.opening import refuse_old
from chroma_plugin_milvus.options import MilvusOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chroma_plugin as chromadb
from chroma_plugin.backend import Pushdown
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError, UnreachableError, UnsupportedError
from chroma_plugin.filters import Expr
from chroma_plugin.testing import strategies

HASH = '"[0-9a-f]{32}"'
KEY = r'"([A-Za-z0-9_.:/@=+-]{1,200}|#[0-9a-f]{32})"'
NUMBER = r"-?(\d+(\.\d+)?(e[+-]\d+)?)"
WORDS = re.compile(
    rf"({HASH}|{KEY}|[\[\](), ]|and|or|not|in|key|place|(>=|<=|<|>)|array_contains_any|tokens|numbers|{NUMBER})*"
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_an_expression_holds_nothing_of_the_users(data: st.DataObject) -> None:
    """Whatever the keys and values: hashes, doubles, our own words, and ids that are read alike everywhere."""
    written = data.draw(strategies.records(4))
    where: Expr = data.draw(strategies.exprs_for(written))
    if expressions.takes(where) is Pushdown.EXACT:
        assert WORDS.fullmatch(expressions.expression(where))


@given(st.text() | st.none())
def test_pieces_make_the_text_again(text: str | None) -> None:
    """The empty text and None stay apart."""
    assert pieces.join(pieces.split(text, "A text")) == text


def test_long_texts_are_split() -> None:
    """Each piece fits a string of Milvus, also of four bytes a character."""
    parts = pieces.split("𝔘" * 40_000, "A text")
    assert max(len(part.encode()) for part in parts) <= pieces.PIECE_BYTES
    assert pieces.join(parts) == "𝔘" * 40_000


@pytest.mark.parametrize(
    ("left", "right", "same"), [(1, 1.0, True), (1, True, False), (1, "1", False), (0.0, -0.0, True)]
)
def test_tokens_are_equal_when_values_are(left: object, right: object, same: bool) -> None:
    """Types never coerce; numbers are equal by value."""
    assert (tokens.equals(("a",), left) == tokens.equals(("a",), right)) is same


def test_a_dot_in_a_key_is_no_path() -> None:
    assert tokens.equals(("a.b",), 1) != tokens.equals(("a", "b"), 1)


@pytest.mark.parametrize("wrong", [{"prefix": "a b"}, {"prefix": ""}, {"consistency_level": "Eventually"}])
def test_wrong_options(wrong: dict[str, str]) -> None:
    """Refused at the door, with what was seen."""
    with pytest.raises(InvalidArgumentError, match=re.escape(repr(next(iter(wrong.values()))))):
        MilvusOptions(**wrong)


def test_a_server_that_does_not_answer() -> None:
    """UnreachableError, with the address."""
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        chromadb.Client(chromadb.Settings(chroma_db_impl="milvus", uri="http://127.0.0.1:1", timeout=2))


def test_what_milvus_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    """Too many dimensions, too many values to filter by: an error that says so; a single number is no problem."""
    settings = chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))
    with chromadb.Client(settings) as client:
        wide = client.create_collection("wide", embedding_function=None)
        with pytest.raises(InvalidDimensionError, match="32,768"):
            wide.add(ids=["a"], embeddings=[[0.5] * 40_000])
        narrow = client.create_collection("narrow", embedding_function=None)
        with pytest.raises(InvalidArgumentError, match="4,096"):
            narrow.add(ids=["a"], embeddings=[[1]], metadatas=[{"list": list(range(5_000))}])
        assert narrow.count() == 0
        narrow.add(ids=["a", "b"], embeddings=[[1], [3]])
        assert narrow.get(include=["embeddings"])["embeddings"].tolist() == [[1], [3]]
        assert narrow.query(query_embeddings=[[2.5]])["distances"] == [[0.25, 2.25]]


def test_two_clients_of_one_directory(tmp_path: Path) -> None:
    """What one wrote the other reads at once, and a name is taken for both."""
    settings = chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))
    with chromadb.Client(settings) as one, chromadb.Client(settings) as other:
        one.create_collection("things", embedding_function=None).add(ids=["a"], embeddings=[[1, 2]])
        assert other.get_collection("things", embedding_function=None).get()["ids"] == ["a"]


def test_a_query_that_finds_nothing(tmp_path: Path) -> None:
    """With embeddings asked for, too."""
    settings = chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))
    with chromadb.Client(settings) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["a"], embeddings=[[1, 2]], metadatas=[{"n": 1}])
        found = things.query(query_embeddings=[[1, 2]], where={"n": 2}, include=["embeddings"])
        assert found["ids"] == [[]]


@pytest.mark.parametrize("length", [15_999, 16_000, 16_001, 100_000])
def test_texts_longer_than_a_string_of_milvus(length: int, tmp_path: Path) -> None:
    """Every text of a record may be; each comes back, beside short ones and none."""
    text = ('\U0001d518"\n' * length)[:length]
    with chromadb.Client(chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(
            ids=[text, "short"],
            embeddings=[[1, 2], [3, 4]],
            documents=[text, None],
            metadatas=[{"text": text}, None],
            uris=[text, "u"],
        )
        found = things.get(include=["documents", "metadatas", "uris"])
        assert (found["ids"], found["documents"]) == ([text, "short"], [text, None])
        assert (found["metadatas"], found["uris"]) == ([{"text": text}, None], [text, "u"])


def test_what_only_some_records_need(tmp_path: Path) -> None:
    """The rest of a long text and the order of equally near ones come when they are there, also to a client that has
    read without them before.
    """
    with chromadb.Client(chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))) as client:
        things = client.create_collection("things", embedding_function=None)
        things.add(ids=["z", "far"], embeddings=[[1, 0], [5, 0]], documents=["short", "short"])
        for long in ("short", "long" * 10_000):
            assert things.query(query_embeddings=[[1, 0]])["documents"] == [["short", "short"]]
            things.update(ids="far", documents=long)
            assert things.query(query_embeddings=[[1, 0]])["documents"] == [["short", long]]
            assert things.get(ids=["far"])["documents"] == [long]
            things.update(ids="far", documents="short")
        things.add(ids=["y", "x", "a"], embeddings=[[1, 0]] * 3)
        assert things.query(query_embeddings=[[1, 0]])["ids"] == [["z", "y", "x", "a", "far"]]
        assert things.query(query_embeddings=[[1, 0]], where={"none": None})["ids"] == [["z", "y", "x", "a", "far"]]


def test_a_filter_that_few_match_finds_the_nearest(tmp_path: Path) -> None:
    """Through an index of Lite, which is there when the directory is opened again."""
    random = np.random.default_rng(5)
    vectors, queries = random.standard_normal((3_000, 16)), random.standard_normal((20, 16))
    options = chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))
    with chromadb.Client(options) as client:
        things = client.create_collection("things", embedding_function=None)
        metadatas = [{"bucket": n % 100} for n in range(3_000)]
        things.add(ids=[str(n) for n in range(3_000)], embeddings=vectors, metadatas=metadatas)
        things.create_index()
    with chromadb.Client(options) as client:
        things = client.get_collection("things", embedding_function=None)
        where = {"bucket": {"$lt": 2}}
        found = things.query(query_embeddings=queries, n_results=10, where=where)["ids"]
        truth = things.query(query_embeddings=queries, n_results=10, where=where, exact=True)["ids"]
    shares = [len({*one} & {*other}) / 10 for one, other in zip(found, truth, strict=True)]
    assert sum(shares) / len(shares) >= 0.99


def test_a_directory_of_lite_is_free_when_it_is_closed(tmp_path: Path) -> None:
    """For another process, though this one lives; not before the last client of it has closed."""
    settings = chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))
    with chromadb.Client(settings):
        with chromadb.Client(settings) as client:
            client.create_collection("things", embedding_function=None)
        assert "LockedError" in _counted(tmp_path)
    assert _counted(tmp_path) == "1\n"


def test_a_server_that_others_started_is_left_alone(tmp_path: Path) -> None:
    """Who uses pymilvus beside us, in this process and on this directory, goes on."""
    from pymilvus import MilvusClient

    theirs = MilvusClient(str(tmp_path / "m.db"))
    with chromadb.Client(chromadb.Settings(chroma_db_impl="milvus", uri=str(tmp_path / "m.db"))):
        pass
    assert theirs.list_collections()
    theirs.close()


def _counted(folder: Path) -> str:
    """How many collections another process finds there, or its error."""
    program = """
import sys, chroma_plugin as chromadb
try:
    with chromadb.Client(chromadb.Settings(chroma_db_impl="milvus", uri=sys.argv[1])) as client:
        print(len(client.list_collections()))
except chromadb.errors.ChromaError as error:
    print(type(error).__name__)
"""
    command = [sys.executable, "-c", program, str(folder / "m.db")]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize(
    "version", ["2.5.0", "v2.6.4", "v3.0-dev", "Zilliz Cloud, compatible with Milvus 2.5", "unknown"]
)
def test_servers_that_will_do(version: str) -> None:
    refuse_old(version)


@pytest.mark.parametrize("version", ["v2.3.5-lite", "2.4.15"])
def test_servers_that_are_too_old(version: str) -> None:
    """As the server of the PyPI package milvus 2.3.5 names itself."""
    with pytest.raises(UnsupportedError, match=f"Milvus {version}.*2.5. Upgrade it"):
        refuse_old(version)
