"""What is refused, before anything changes, and what is taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError

SURROGATE = "broken \ud800 text"


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


Call = Callable[[chromadb.Collection], Any]
REFUSED: dict[str, Call] = {
    "ids: None": lambda c: c.add(ids=None, embeddings=[1, 2]),
    "ids: empty list": lambda c: c.add(ids=[], embeddings=[[1, 2]]),
    "ids: empty str": lambda c: c.add(ids="", embeddings=[1, 2]),
    "ids: int": lambda c: c.add(ids=1, embeddings=[1, 2]),
    "ids: ints": lambda c: c.add(ids=[1, 2], embeddings=[[1, 2], [1, 2]]),
    "ids: bytes": lambda c: c.add(ids=b"x", embeddings=[1, 2]),
    "ids: dict": lambda c: c.add(ids={"x": 1}, embeddings=[1, 2]),
    "ids: surrogate": lambda c: c.add(ids=SURROGATE, embeddings=[1, 2]),
    "ids: unprintable": lambda c: c.add(ids=[Unprintable()], embeddings=[1, 2]),
    "lengths: embeddings": lambda c: c.add(ids=["x", "y"], embeddings=[[1, 2]]),
    "lengths: documents": lambda c: c.add(ids=["x"], embeddings=[[1, 2]], documents=["1", "2"]),
    "lengths: metadatas": lambda c: c.add(ids=["x", "y"], embeddings=[[1, 2], [1, 2]], metadatas={"k": 1}),
    "lengths: uris": lambda c: c.add(ids=["x"], embeddings=[[1, 2]], uris=["1", "2"]),
    "embeddings: NaN": lambda c: c.add(ids="x", embeddings=[1, math.nan]),
    "embeddings: infinite": lambda c: c.add(ids="x", embeddings=[1, math.inf]),
    "embeddings: beyond float32": lambda c: c.add(ids="x", embeddings=[1, 1e300]),
    "embeddings: str": lambda c: c.add(ids="x", embeddings=["1", "2"]),
    "embeddings: a str": lambda c: c.add(ids="x", embeddings="12"),
    "embeddings: bool": lambda c: c.add(ids="x", embeddings=[True, 2.0]),
    "embeddings: bool rows": lambda c: c.add(ids=["x", "y"], embeddings=[[1.0, 2.0], [0.0, False]]),
    "embeddings: bool array": lambda c: c.add(ids="x", embeddings=np.array([True, False])),
    "embeddings: None inside": lambda c: c.add(ids=["x", "y"], embeddings=[[1, 2], None]),
    "embeddings: empty": lambda c: c.add(ids="x", embeddings=[]),
    "embeddings: empty row": lambda c: c.add(ids="x", embeddings=[[]]),
    "embeddings: three axes": lambda c: c.add(ids="x", embeddings=[[[1, 2]]]),
    "embeddings: number": lambda c: c.add(ids="x", embeddings=5),
    "embeddings: huge int": lambda c: c.add(ids="x", embeddings=[2**2000, 1]),
    "embeddings: complex": lambda c: c.add(ids="x", embeddings=[1j, 1]),
    "embeddings: dict": lambda c: c.add(ids="x", embeddings={"a": 1}),
    "documents: int": lambda c: c.add(ids="x", embeddings=[1, 2], documents=5),
    "documents: ints": lambda c: c.add(ids="x", embeddings=[1, 2], documents=[5]),
    "documents: surrogate": lambda c: c.add(ids="x", embeddings=[1, 2], documents=SURROGATE),
    "uris: surrogate": lambda c: c.add(ids="x", embeddings=[1, 2], uris=SURROGATE),
    "metadata: a list of pairs": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas=[[("k", 1)]]),
    "metadata: a str": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas="k=1"),
    "metadata: an int key": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={1: "v"}),
    "metadata: an empty key": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"": "v"}),
    "metadata: # key": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"#document": "v"}),
    "metadata: $ key": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"$and": "v"}),
    "metadata: reserved key": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"chroma:document": "v"}),
    "metadata: surrogate key": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={SURROGATE: "v"}),
    "metadata: surrogate value": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": SURROGATE}),
    "metadata: surrogate inside": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": [{"k": SURROGATE}]}),
    "metadata: NaN": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": math.nan}),
    "metadata: infinite": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": [-math.inf]}),
    "metadata: numpy NaN": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": np.float32("nan")}),
    "metadata: 2**63": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": 2**63}),
    "metadata: -2**63 - 1": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": {"k": -(2**63) - 1}}),
    "metadata: tuple": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": (1, 2)}),
    "metadata: bytes": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": b"v"}),
    "metadata: object": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": object()}),
    "metadata: array": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": np.ones(3)}),
    "metadata: too deep": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": deep(33)}),
    "metadata: far too deep": lambda c: c.add(ids="x", embeddings=[1, 2], metadatas={"k": deep(100_000)}),
    "metadata: row 2 only": lambda c: c.add(ids=["x", "y"], embeddings=[[1, 2]] * 2, metadatas=[{"k": 1}, {"k": {1}}]),
    "on_conflict": lambda c: c.add(ids="x", embeddings=[1, 2], on_conflict="overwrite"),
    "metadata_mode": lambda c: c.upsert(ids="x", embeddings=[1, 2], metadata_mode="overwrite"),
    "update: no ids": lambda c: c.update(documents=["x"]),
    "update: NaN": lambda c: c.update(ids="a", embeddings=[math.nan, 1]),
    "get: limit": lambda c: c.get(limit=-1),
    "get: limit str": lambda c: c.get(limit="5"),
    "get: limit bool": lambda c: c.get(limit=True),
    "get: offset": lambda c: c.get(offset=-1),
    "get: offset float": lambda c: c.get(offset=1.5),
    "get: include": lambda c: c.get(include=["distances"]),
    "get: include typo": lambda c: c.get(include=["document"]),
    "get: include array": lambda c: c.get(include=[np.ones(2)]),
    "get: order_by": lambda c: c.get(order_by=5),
    "get: order_by empty": lambda c: c.get(order_by="-"),
    "get: where list": lambda c: c.get(where=[1]),
    "get: where operator": lambda c: c.get(where={"k": {"$near": 1}}),
    "get: where_document": lambda c: c.get(where_document={"$like": "x"}),
    "query: nothing": lambda c: c.query(),
    "query: NaN": lambda c: c.query(query_embeddings=[math.nan, 1]),
    "query: infinite": lambda c: c.query(query_embeddings=[math.inf, 1]),
    "query: text None": lambda c: c.query(query_texts=[None]),
    "query: n_results 0": lambda c: c.query(query_embeddings=[1, 2], n_results=0),
    "query: n_results -1": lambda c: c.query(query_embeddings=[1, 2], n_results=-1),
    "query: n_results float": lambda c: c.query(query_embeddings=[1, 2], n_results=1.0),
    "query: n_results None": lambda c: c.query(query_embeddings=[1, 2], n_results=None),
    "query: max_distance NaN": lambda c: c.query(query_embeddings=[1, 2], max_distance=math.nan),
    "query: max_distance str": lambda c: c.query(query_embeddings=[1, 2], max_distance="1"),
    "query: exact": lambda c: c.query(query_embeddings=[1, 2], exact="yes"),
    "modify: name": lambda c: c.modify(name="no"),
    "modify: metadata": lambda c: c.modify(metadata={"k": math.nan}),
    "delete: ids": lambda c: c.delete(ids=[1]),
    "delete: limit": lambda c: c.delete(where={"n": 1}, limit=-1),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_refused(three: chromadb.Collection, call: Call) -> None:
    """Every wrong argument is an InvalidArgumentError of a readable length, and the collection is as it was."""
    include = ["embeddings", "documents", "metadatas", "uris"]
    before = repr(three.get(include=include))

    with pytest.raises(InvalidArgumentError) as caught:
        call(three)

    assert len(str(caught.value)) < 700
    assert repr(three.get(include=include)) == before


def test_the_error_names_key_and_row(collection: chromadb.Collection) -> None:
    """A bad metadata value is named by row and key."""
    with pytest.raises(InvalidArgumentError, match=r"metadatas\[1\]\['price'\] is nan"):
        collection.add(ids=["a", "b"], embeddings=[[1], [2]], metadatas=[{"price": 1.0}, {"price": math.nan}])


def test_the_error_names_both_lengths(collection: chromadb.Collection) -> None:
    """Columns of different lengths are named with both."""
    with pytest.raises(InvalidArgumentError, match="2 ids and 1 embeddings"):
        collection.add(ids=["a", "b"], embeddings=[[1, 2]])


def test_ragged_embeddings(collection: chromadb.Collection) -> None:
    """Rows of different lengths are named with both."""
    with pytest.raises(InvalidDimensionError, match=r"embeddings\[0\] has 2 numbers and embeddings\[2\] has 3"):
        collection.add(ids=["a", "b", "c"], embeddings=[[1, 2], [3, 4], [5, 6, 7]])
    with pytest.raises(InvalidDimensionError):
        collection.add(ids=["a", "b"], embeddings=[np.ones(2), np.ones(3)])


KINDS: list[Any] = [
    [[1, 2], [3, 4]],
    [[1.0, 2.0], [3.0, 4.0]],
    ((1, 2), (3, 4)),
    [np.array([1, 2]), np.array([3, 4])],
    np.array([[1, 2], [3, 4]], dtype=np.float64),
    np.array([[1, 2], [3, 4]], dtype=np.float16),
    np.array([[1, 2], [3, 4]], dtype=np.int32),
    np.array([[1, 2], [3, 4]], dtype=np.uint8),
    np.array([[1, 3], [2, 4]], dtype=np.float32).T,
    [[np.float32(1), np.float64(2)], [3, np.int8(4)]],
]


@pytest.mark.parametrize("embeddings", KINDS)
def test_embeddings_of_every_kind(collection: chromadb.Collection, embeddings: Any) -> None:
    """Anything of numbers with the right shape is taken."""
    collection.add(ids=["a", "b"], embeddings=embeddings)

    assert collection.get(include=["embeddings"])["embeddings"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("queries", KINDS)
def test_queries_of_every_kind(collection: chromadb.Collection, queries: Any) -> None:
    """Among so many records that not all are put in order."""
    points = np.stack([np.arange(600) / 100, np.arange(600) / 100 + 1], axis=1)
    collection.add(ids=[str(number) for number in range(600)], embeddings=points)

    assert collection.query(query_embeddings=queries, n_results=3)["ids"] == [
        ["100", "99", "101"],
        ["300", "299", "301"],
    ]


@pytest.mark.parametrize("ids", [["a", "b"], ("a", "b"), np.array(["a", "b"]), {"a": 1, "b": 2}.keys()])
def test_ids_of_every_kind(collection: chromadb.Collection, ids: Any) -> None:
    """Any iterable of str is taken, and plain str come back."""
    collection.add(ids=ids, embeddings=[[1], [2]])

    assert [(id, type(id)) for id in collection.get()["ids"]] == [("a", str), ("b", str)]


def test_numpy_scalars_in_metadata(collection: chromadb.Collection) -> None:
    """Numpy scalars become the Python values that they equal."""
    collection.add(
        ids="a",
        embeddings=[1],
        metadatas={"i": np.int64(5), "f": np.float32(0.5), "b": np.bool_(True), "s": np.str_("x"), "l": [np.int8(1)]},
    )

    got = collection.get()["metadatas"][0]
    assert got == {"i": 5, "f": 0.5, "b": True, "s": "x", "l": [1]}
    assert [type(value) for value in got.values()] == [int, float, bool, str, list]


def test_an_empty_dict_is_no_metadata(collection: chromadb.Collection) -> None:
    """{} comes back as None."""
    collection.add(ids=["a", "b"], embeddings=[[1], [2]], metadatas=[{}, {"k": 1}])

    assert collection.get()["metadatas"] == [None, {"k": 1}]


def test_finite_floats_whose_sum_is_not(collection: chromadb.Collection) -> None:
    """The largest floats are taken, however many."""
    collection.add(ids=["a", "b"], embeddings=[[1], [2]], metadatas=[{"k": 1.7e308}, {"k": 1.7e308}])

    assert collection.get()["metadatas"] == [{"k": 1.7e308}, {"k": 1.7e308}]


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
SCALARS = (
    TEXT
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))
KEYS = TEXT.filter(lambda key: key and key[0] not in "#$" and key != "chroma:document")


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(TEXT.filter(bool), TEXT | st.none(), st.dictionaries(KEYS, VALUES, max_size=4)),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_what_goes_in_comes_out(rows: list[tuple[str, str | None, dict[str, Any]]]) -> None:
    """Ids, documents and metadata come back as they were given, value and type."""
    collection = chromadb.Client().create_collection("things", embedding_function=None)
    ids, documents, metadatas = (list(column) for column in zip(*rows, strict=True))

    collection.add(ids=ids, documents=documents, metadatas=metadatas, embeddings=np.ones((len(ids), 2)))

    got = collection.get()
    assert got["ids"] == ids
    assert got["documents"] == documents
    assert repr(got["metadatas"]) == repr([metadata or None for metadata in metadatas])


@pytest.mark.parametrize("name", ["abc", "a-b", "a.b_c", "A1z", "0" * 512])
def test_good_names(client: chromadb.Client, name: str) -> None:
    """Chroma's rules for names: 3 to 512 of a-zA-Z0-9._-, a letter or digit at both ends."""
    assert client.create_collection(name).name == name


@pytest.mark.parametrize(
    "name", ["", "no", "A1.", "-ab", "a..b", "a b", "a/b", "1.2.3.4", "::1", "ä" * 5, "a\n", "x" * 513, 5, None]
)
def test_bad_names(client: chromadb.Client, collection: chromadb.Collection, name: Any) -> None:
    """Other names, names with ".." and IP addresses are refused, for new collections and in modify."""
    with pytest.raises(InvalidArgumentError):
        client.create_collection(name)
    with pytest.raises(InvalidArgumentError):
        client.get_or_create_collection(name)
    if name is not None:
        with pytest.raises(InvalidArgumentError):
            collection.modify(name=name)

    assert [found.name for found in client.list_collections()] == ["things"]
