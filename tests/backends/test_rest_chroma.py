"""The rest backend against Chroma's own server, where one is installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from support.server import free_port

import chroma_plugin as chromadb
from chroma_plugin.backend import Backend
from chroma_plugin.errors import NotFoundError, UniqueConstraintError, UnsupportedError
from chroma_plugin.filters import keep
from chroma_plugin.operations import pushdown
from chroma_plugin.plugins import default_manager, open_backend
from chroma_plugin.testing import BackendConformance, strategies
from chroma_plugin.testing.data import collection, contents
from chroma_plugin.types import NO_FIELDS, Records, Scan, concatenate

CHROMA = os.environ.get("CHROMA_PLUGIN_TEST_CHROMA") or shutil.which("chroma")
"""The executable of the PyPI package chromadb; it is none of our test requirements."""

pytestmark = pytest.mark.skipif(CHROMA is None, reason="no `chroma` on PATH or in CHROMA_PLUGIN_TEST_CHROMA")


_started: list[tuple[subprocess.Popen[bytes], Path]] = []


@pytest.fixture(scope="session", autouse=True)
def stop_at_the_end() -> Iterator[None]:
    """Workers of xdist run no `atexit`."""
    yield
    for process, folder in _started:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _port() -> int:
    """The port of one server for all tests of this process."""
    folder, port = Path(tempfile.mkdtemp(prefix="chroma-run-")), free_port()
    config = folder / "config.yaml"
    config.write_text(f"port: {port}\nlisten_address: 127.0.0.1\npersist_path: {folder / 'data'}\nallow_reset: true\n")
    assert CHROMA is not None
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([CHROMA, "run", str(config)], stdout=log, stderr=subprocess.STDOUT)
    _started.append((process, folder))
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return port
    raise RuntimeError(f"chroma run did not start: {(folder / 'log').read_text()}")


CANNOT = {
    "holds no None and no nested metadata (it is refused before anything is sent)": (
        "test_every_filter",
        "test_every_node",
        "test_random_where_dicts",
        "test_random_filters",
        "test_random_calls",
        "test_absent_values_stay_absent",
        "test_metadata_values_keep_value_and_type",
        "test_types_may_differ_from_record_to_record",
        "test_hard_texts",
        "test_the_reader_may_change_metadata",
    ),
    "chooses the ids of collections, and lists collections by them": (
        "test_collections_are_listed_in_the_order_of_creation",
        "test_get_collection",
        "test_create_refuses_a_name_that_is_taken",
        "test_rename_refuses_a_name_that_is_taken",
        "test_a_refused_rename_changes_nothing",
        "test_drop_deletes_the_records",
        "test_what_was_written_is_there_after_reopening",
    ),
    "takes only names by its rules": ("test_names_are_compared_whole",),
    "fills in the configuration of a collection": (
        "test_a_collection_is_listed_as_it_was_created",
        "test_update_replaces_name_metadata_configuration_and_dimension",
    ),
    "keeps True in the metadata of a collection as 1": ("test_every_metadata_value_of_a_collection",),
    "can't take a document away: the record is made anew, at the end": (
        "test_put_replaces_whole_records_in_place",
        "test_update_changes_one_column",
        "test_update_of_all_columns",
    ),
    "normalises the embeddings of a cosine collection": ("test_embeddings_come_back_bit_for_bit",),
    "breaks ties as its graph comes to them": ("test_ties_come_in_the_order_of_insertion",),
    "does not list tenants": ("test_tenants_and_databases_are_created_once",),
    "fails reads beside a writer ('Error finding id')": ("test_readers_beside_a_writer",),
}
"""Why which tests of the kit are not for a Chroma server: what it can't do."""

REASONS = {test: reason for reason, tests in CANNOT.items() for test in tests}


def connected(port: int) -> Backend:
    options = {"chroma_server_host": "127.0.0.1", "chroma_server_http_port": port}
    return open_backend(default_manager().backend("rest"), options)


class TestRestOnChroma(BackendConformance):
    """The contract, as far as a Chroma server can keep it: see `CANNOT` for the rest."""

    persistent = True
    ranks_exactly = False
    min_recall = 0.7
    examples = 10

    @pytest.fixture(autouse=True)
    def _skip_what_it_cannot(self, request: pytest.FixtureRequest) -> None:
        reason = REASONS.get(request.node.originalname)
        if reason is not None:
            pytest.skip(f"chroma run {reason}")

    def open_backend(self, place: Path) -> Backend:
        is_new = not place.exists()
        if is_new:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(str(_port()))
        backend = connected(int(place.read_text()))
        if is_new:
            backend.reset()
        return backend


def _sayable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    scalars = values.filter(lambda value: value is not None and not (isinstance(value, float) and _is_changed(value)))
    lists = st.one_of(st.lists(of, min_size=1, max_size=3) for of in (st.integers(-3, 3), st.text(max_size=3)))
    return scalars | lists


def _is_changed(number: float) -> bool:
    """Whether Chroma's server gives it back otherwise: it drops the sign of -0.0, and the last digit of fractions."""
    return abs(number) > 2**40 or number * 4 % 1 != 0 or str(number) == "-0.0"


def sayable_records() -> st.SearchStrategy[Records]:
    """Records as a Chroma server can hold them."""
    metadata = st.none() | st.dictionaries(
        st.sampled_from(strategies.KEYS), _sayable(strategies.scalars()), min_size=1, max_size=3
    )
    return strategies.records(dimension=3, max_size=6).flatmap(
        lambda records: st.lists(metadata, min_size=len(records), max_size=len(records)).map(
            lambda column: replace(records, metadatas=column)
        )
    )


@given(data=st.data())
@settings(max_examples=25, deadline=None, database=None, phases=[Phase.generate])
def test_every_filter_is_answered_rightly(data: st.DataObject) -> None:
    """What the server evaluates and what the core does, together, is what the filter means; records come back whole."""
    written = data.draw(sayable_records())
    backend = connected(_port())
    try:
        kept = backend.create_collection(replace(collection(f"c{uuid4().hex}"), dimension=None))
        assert kept is not None
        store = backend.open_collection(kept)
        store.put(written)
        assert contents(concatenate(list(store.scan(Scan())))) == contents(written)
        for _ in range(6):
            where = data.draw(strategies.exprs_for(written))
            found = pushdown.scan(store, Scan(where=where, fields=NO_FIELDS))
            assert [id for batch in found for id in batch.ids] == [written.ids[row] for row in keep(where, written)]
        # The collection stays: lists in the metadata of what is deleted there turn up in records made later.
    finally:
        backend.close()


@pytest.fixture
def client() -> Iterator[chromadb.Client]:
    """A client of an emptied server."""
    with chromadb.HttpClient("127.0.0.1", _port()) as client:
        client.reset()
        yield client


def test_the_whole_api(client: chromadb.Client) -> None:
    """A session with Chroma's own server, through our client."""
    made = client.create_collection("things", embedding_function=None, metadata={"about": "things"})
    made.add(["a", "b"], embeddings=[[1, 0], [2, 0]], metadatas=[{"n": 1, "k": "x"}, {"n": 2.5}], documents=["A", "B"])
    made.upsert(["b", "c"], embeddings=[[2, 1], [3, 0]], metadatas=[{"m": True}, {"n": 4}])
    made.update("a", metadatas={"k": None}, documents="AA")

    again = client.get_collection("things")
    assert again == made
    assert again.get(order_by="n")["metadatas"] == [{"n": 1}, {"n": 2.5, "m": True}, {"n": 4}]
    assert again.get(where={"n": {"$gte": 2.5}})["ids"] == ["b", "c"]
    assert again.get(["c", "a"], include=["documents"])["documents"] == [None, "AA"]
    assert again.query(query_embeddings=[3, 0], n_results=5, ids=["a", "c", "unknown"])["ids"] == [["c", "a"]]
    assert again.query(query_embeddings=[3, 0], n_results=1, where={"n": {"$lt": 3.5}})["ids"] == [["b"]]
    assert again.delete(["a", "unknown"]) == {"deleted": 1}
    assert again.count() == 2
    again.modify(name="renamed", metadata={"about": "others"})
    assert [(found.name, found.metadata) for found in client.list_collections()] == [("renamed", {"about": "others"})]
    client.delete_collection("renamed")
    assert client.count_collections() == 0


def test_what_it_cannot_hold_is_refused_before_anything_is_sent(client: chromadb.Client) -> None:
    """The error names the key and the row, and nothing was written."""
    made = client.create_collection("things", embedding_function=None)

    for value in (None, {"deep": 1}, [], [1, "x"]):
        with pytest.raises(UnsupportedError, match=r"'key' in metadatas\[1\] of record 'b'"):
            made.add(["a", "b"], embeddings=[[1], [2]], metadatas=[{"n": 1}, {"key": value}])

    assert made.count() == 0


def test_taken_names(client: chromadb.Client) -> None:
    """UniqueConstraintError, also where the server answers with a line of SQL."""
    client.create_collection("first", embedding_function=None)
    second = client.create_collection("second", embedding_function=None)

    with pytest.raises(UniqueConstraintError):
        client.create_collection("first", embedding_function=None)
    with pytest.raises(UniqueConstraintError):
        second.modify(name="first")


def test_pages_and_batches(client: chromadb.Client) -> None:
    """More records than one request takes, or gives."""
    made = client.create_collection("things", embedding_function=None)
    ids = [f"i{number}" for number in range(6_500)]
    made.add(ids, embeddings=[[number, 1] for number in range(6_500)])

    assert made.get(include=[])["ids"] == ids
    assert made.get(include=[], offset=900, limit=3_000)["ids"] == ids[900:3_900]
    assert made.get(ids[::-2], include=[])["ids"] == ids[::-2]
    assert made.delete(ids[:3_000]) == {"deleted": 3_000}
    assert made.count() == 3_500


def test_tenants_and_databases(client: chromadb.Client) -> None:
    """They are made, found, and missed."""
    tenant = f"t{uuid4().hex}"
    client.create_tenant(tenant)
    client.create_database("other", tenant)
    client.set_tenant(tenant, "other")

    assert [database["name"] for database in client.list_databases(tenant=tenant)] == ["other"]
    with pytest.raises(NotFoundError):
        client.set_tenant("nobody at all")
    with pytest.raises(NotFoundError):
        client.create_database("other", "nobody at all")
    with pytest.raises(UniqueConstraintError):
        client.create_tenant(tenant)
