"""Export to Parquet and import: what comes back is what was there, and a failure changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import chroma_plugin
from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.errors import (
    CorruptionError,
    FormatVersionError,
    InvalidArgumentError,
    InvalidDimensionError,
    NotFoundError,
    StorageError,
    UniqueConstraintError,
)
from chroma_plugin.parquet import export_collections, import_collections, is_legacy_directory

EVERYTHING = ["embeddings", "documents", "metadatas", "uris"]
FILES = ["chroma-collections.parquet", "chroma-embeddings.parquet"]


@pytest.fixture
def client() -> Iterator[Any]:
    with chroma_plugin.EphemeralClient() as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[Any]:
    with chroma_plugin.EphemeralClient() as opened:
        yield opened


def fill(client: Any, name: str = "pets", rows: int = 5, dimension: int = 3) -> Any:
    """A collection of values that are easily lost: None, hard text, nested metadata, floats that are whole."""
    collection = client.create_collection(
        name, metadata={"topic": "zoo", "hnsw:space": "cosine"}, embedding_function=HashingEmbeddingFunction(16)
    )
    hard = [None, "", 'it\'s "quoted"', "NUL \x00 inside", "貓🐟\n"]
    collection.add(
        ids=[f"id-{row}" for row in range(rows)],
        embeddings=np.random.default_rng(0).normal(size=(rows, dimension)),
        documents=[hard[row % 5] for row in range(rows)],
        metadatas=[
            [None, {"whole": 1.0, "int": 1, "none": None}, {"l": [1, "a", [True]]}][row % 3] for row in range(rows)
        ],
        uris=[None if row % 2 else f"file:///{row}" for row in range(rows)],
    )
    return collection


def records(collection: Any) -> tuple[Any, ...]:
    """All there is in a collection, in a form that tells 1 from 1.0 and True."""
    found = collection.get(include=EVERYTHING)
    texts = [repr(found[column]) for column in ("ids", "documents", "metadatas", "uris")]
    return (*texts, np.asarray(found["embeddings"], np.float32).tobytes())


def test_everything_comes_back(client: Any, other: Any, tmp_path: Path) -> None:
    """Records in their order and bit for bit, metadata with its types, configuration and embedding function."""
    pets = fill(client)
    client.create_collection("empty", embedding_function=None)
    exported = export_collections(client, tmp_path / "out")
    assert exported.records == {"pets": 5, "empty": 0}
    imported = import_collections(other, tmp_path / "out")
    assert imported.records == exported.records
    assert [collection.name for collection in other.list_collections()] == ["pets", "empty"]
    copy = other.get_collection("pets")
    assert records(copy) == records(pets)
    assert copy.metadata == pets.metadata
    assert copy.configuration_json == pets.configuration_json
    assert copy.query(query_embeddings=[1, 2, 3], n_results=5) == pets.query(query_embeddings=[1, 2, 3], n_results=5)


def test_a_changed_configuration_comes_back(client: Any, other: Any, tmp_path: Path) -> None:
    """What modify() set wins over what the metadata asked for when the collection was made."""
    collection = client.create_collection("pets", metadata={"hnsw:search_ef": 20, "hnsw:M": 8}, embedding_function=None)
    collection.modify(configuration={"hnsw": {"ef_search": 300}})
    export_collections(client, tmp_path)
    import_collections(other, tmp_path)
    copy = other.get_collection("pets")
    assert copy.configuration_json == collection.configuration_json
    assert copy.metadata == collection.metadata


def test_an_unknown_embedding_function_is_kept(client: Any, other: Any, tmp_path: Path) -> None:
    """A function that is not registered here is carried over by name, and nothing is loaded."""

    class Mine(chroma_plugin.embedding_functions.EmbeddingFunction[Any]):
        def __call__(self, input: Any) -> Any:
            raise AssertionError("not to be called")

        @staticmethod
        def name() -> str:
            return "mine-and-unknown"

        def get_config(self) -> dict[str, Any]:
            return {"model": "m"}

    client.create_collection("pets", embedding_function=Mine())
    export_collections(client, tmp_path)
    import_collections(other, tmp_path)
    stored = other.get_collection("pets").configuration_json["embedding_function"]
    assert stored == {"type": "known", "name": "mine-and-unknown", "config": {"model": "m"}}


def test_more_records_than_one_batch(client: Any, other: Any, tmp_path: Path) -> None:
    """Several batches and several collections keep all records and their order."""
    for name in ("one", "two"):
        fill(client, name, rows=12_000, dimension=2)
    export_collections(client, tmp_path)
    import_collections(other, tmp_path)
    for name in ("one", "two"):
        assert records(other.get_collection(name)) == records(client.get_collection(name))


def test_any_tool_reads_the_files(client: Any, tmp_path: Path) -> None:
    """The layout is the documented one, with the documented types."""
    fill(client)
    export_collections(client, tmp_path)
    with duckdb.connect() as connection:
        described = {
            name: {
                row[0]: row[1]
                for row in connection.execute("DESCRIBE FROM read_parquet(?)", [str(tmp_path / name)]).fetchall()
            }
            for name in FILES
        }
        row = connection.execute(
            "SELECT metadata FROM read_parquet(?) OFFSET 1 LIMIT 1", [str(tmp_path / FILES[1])]
        ).fetchone()
    assert described[FILES[0]] == dict.fromkeys(
        ["id", "name", "metadata", "configuration", "tenant", "database"], "VARCHAR"
    ) | {"format_version": "INTEGER", "dimension": "INTEGER"}
    assert described[FILES[1]] == dict.fromkeys(["collection_id", "id", "document", "metadata", "uri"], "VARCHAR") | {
        "embedding": "FLOAT[]"
    }
    assert row == ('{"whole": 1.0, "int": 1, "none": null}',)


def test_some_collections_can_be_chosen(client: Any, tmp_path: Path) -> None:
    """``names`` exports just these; an unknown name is an error, and nothing is written."""
    fill(client, "one")
    fill(client, "two")
    with pytest.raises(NotFoundError, match="three"):
        export_collections(client, tmp_path / "out", names=["one", "three"])
    assert not (tmp_path / "out").exists()
    assert export_collections(client, tmp_path / "out", names=["two"]).records == {"two": 5}


def test_an_export_is_not_overwritten_unasked(client: Any, other: Any, tmp_path: Path) -> None:
    """A second export into a directory needs ``overwrite=True``, and then replaces the first whole."""
    fill(client, "one")
    export_collections(client, tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    with pytest.raises(StorageError, match="overwrite"):
        export_collections(client, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before
    client.delete_collection("one")
    fill(client, "two")
    export_collections(client, tmp_path, overwrite=True)
    assert import_collections(other, tmp_path).records == {"two": 5}


def test_an_export_leaves_only_its_files(client: Any, tmp_path: Path) -> None:
    """No temporary file stays behind."""
    fill(client)
    export_collections(client, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == FILES


def test_an_export_is_not_a_legacy_directory(client: Any, tmp_path: Path) -> None:
    """Our files have the names of Chroma 0.3.x's and are not taken for them."""
    fill(client)
    export_collections(client, tmp_path)
    assert not is_legacy_directory(tmp_path)


@pytest.mark.parametrize("directory", ["it's", "a*", "q?", "[ab]", "🐟", "a'; DROP TABLE records; --"])
def test_any_directory_name(client: Any, other: Any, tmp_path: Path, directory: str) -> None:
    """A directory's name is never taken for a pattern or for SQL."""
    fill(client)
    export_collections(client, tmp_path / directory)
    fill(client, "decoy")
    export_collections(client, tmp_path / "abc")
    assert import_collections(other, tmp_path / directory).records == {"pets": 5}


def test_taken_names_are_refused(client: Any, other: Any, tmp_path: Path) -> None:
    """By default a name that is taken refuses the whole import, and nothing changes."""
    fill(client, "new")
    fill(client, "pets")
    export_collections(client, tmp_path)
    fill(other, "pets", rows=2)
    with pytest.raises(UniqueConstraintError, match="pets"):
        import_collections(other, tmp_path)
    assert [collection.name for collection in other.list_collections()] == ["pets"]
    assert other.get_collection("pets").count() == 2


def test_taken_names_can_be_skipped(client: Any, other: Any, tmp_path: Path) -> None:
    """``on_conflict="skip"`` leaves collections as they are and imports the others."""
    fill(client, "new")
    fill(client, "pets")
    export_collections(client, tmp_path)
    fill(other, "pets", rows=2)
    report = import_collections(other, tmp_path, on_conflict="skip")
    assert report.records == {"new": 5}
    assert report.skipped == ("pets",)
    assert other.get_collection("pets").count() == 2


def test_taken_names_can_be_merged(client: Any, other: Any, tmp_path: Path) -> None:
    """``on_conflict="merge"`` replaces records with the same id, whole, and keeps the others."""
    pets = fill(client, "pets")
    export_collections(client, tmp_path)
    target = fill(other, "pets", rows=1)
    target.update(ids="id-0", embeddings=[7, 7, 7], metadatas={"old": True}, documents="old")
    target.add(ids="mine", embeddings=[1, 2, 3])
    import_collections(other, tmp_path, on_conflict="merge")
    assert target.get(include=[])["ids"] == ["id-0", "mine", "id-1", "id-2", "id-3", "id-4"]
    merged = target.get(ids=["id-0"], include=EVERYTHING)
    assert merged["metadatas"] == [None]
    assert merged["documents"] == pets.get(ids=["id-0"])["documents"]


def test_a_merge_of_another_dimension_is_refused(client: Any, other: Any, tmp_path: Path) -> None:
    """It is found out before anything is written, also into collections that come first."""
    fill(client, "new")
    fill(client, "pets", dimension=3)
    export_collections(client, tmp_path)
    fill(other, "pets", dimension=4)
    with pytest.raises(InvalidDimensionError, match="pets"):
        import_collections(other, tmp_path, on_conflict="merge")
    assert [collection.name for collection in other.list_collections()] == ["pets"]


def test_an_unknown_policy_is_refused(client: Any, tmp_path: Path) -> None:
    """``on_conflict`` says what it takes."""
    with pytest.raises(InvalidArgumentError, match="'error', 'skip', 'merge'"):
        import_collections(client, tmp_path, on_conflict="replace")  # type: ignore[arg-type]


def rewrite(directory: Path, name: str, select: str) -> None:
    """Replace one of the files by a SELECT over it."""
    with duckdb.connect() as connection:
        old = directory / "old.parquet"
        (directory / name).rename(old)
        connection.sql(select.replace("FILE", f"read_parquet('{old}')")).write_parquet(str(directory / name))


def test_a_fault_in_the_last_record_imports_nothing(client: Any, other: Any, tmp_path: Path) -> None:
    """Everything is checked before the first record is written."""
    fill(client, "first")
    fill(client, "last")
    export_collections(client, tmp_path)
    rewrite(
        tmp_path, FILES[1], "SELECT * REPLACE (if(row_number() OVER () = 10, '[1]', metadata) AS metadata) FROM FILE"
    )
    with pytest.raises(InvalidArgumentError, match=r"'last'.*not a JSON object"):
        import_collections(other, tmp_path)
    assert other.list_collections() == []


def test_a_newer_format_is_refused(client: Any, other: Any, tmp_path: Path) -> None:
    """Files of a later release say that this one is too old."""
    fill(client)
    export_collections(client, tmp_path)
    rewrite(tmp_path, FILES[0], "SELECT * REPLACE (2 AS format_version) FROM FILE")
    with pytest.raises(FormatVersionError, match="Upgrade"):
        import_collections(other, tmp_path)


def test_other_parquet_files_are_refused(client: Any, other: Any, tmp_path: Path) -> None:
    """Files with other columns are named with the columns they have."""
    fill(client)
    export_collections(client, tmp_path)
    rewrite(tmp_path, FILES[1], "SELECT id AS key, document FROM FILE")
    with pytest.raises(CorruptionError, match="'document', 'key'"):
        import_collections(other, tmp_path)


def test_a_column_name_that_is_no_text_is_refused(client: Any, other: Any, tmp_path: Path) -> None:
    """What DuckDB raises for one is none of its own errors."""
    fill(client)
    export_collections(client, tmp_path)
    file = tmp_path / FILES[0]
    file.write_bytes(file.read_bytes().replace(b"configuration", b"con\x9eiguration"))

    with pytest.raises(CorruptionError, match=FILES[0]):
        import_collections(other, tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_damaged_file_is_refused(client: Any, other: Any, tmp_path: Path, name: str) -> None:
    """A file that is cut off or missing is named."""
    fill(client)
    export_collections(client, tmp_path)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-8])
    with pytest.raises(CorruptionError, match=name):
        import_collections(other, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(NotFoundError, match=name):
        import_collections(other, tmp_path)
    assert other.list_collections() == []


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)
KEYS = TEXTS.filter(lambda key: key and key[0] not in "#$")
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            TEXTS.filter(bool),
            st.tuples(FLOATS, FLOATS),
            st.none() | TEXTS,
            st.none() | st.dictionaries(KEYS, VALUES, max_size=3),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda row: row[0],
    )
)
def test_any_record_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    """Whatever a collection holds is the same after export and import, types and bits included."""
    directory = tmp_path_factory.mktemp("export")
    with chroma_plugin.EphemeralClient() as client, chroma_plugin.EphemeralClient() as other:
        ids, embeddings, documents, metadatas = map(list, zip(*rows, strict=True))
        collection = client.create_collection("any", embedding_function=None)
        collection.add(ids=ids, embeddings=embeddings, documents=documents, metadatas=metadatas)
        export_collections(client, directory)
        import_collections(other, directory)
        assert records(other.get_collection("any")) == records(collection)
