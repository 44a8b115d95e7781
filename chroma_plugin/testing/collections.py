"""The kit's tests of collections: create, list, rename, drop."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chroma_plugin.backend import Backend
from chroma_plugin.errors import NotFoundError, UniqueConstraintError
from chroma_plugin.testing.base import Bench, created, listed, open_store
from chroma_plugin.testing.data import HARD_VALUES, collection, contents, exactly, ids_of, numbered, read
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT, CollectionInfo, Metric


class Collections(Bench):
    """A database lists what was created, in that order, and changes a collection whole or not at all."""

    def test_a_new_database_is_empty(self, engine: Backend) -> None:
        """Nothing is listed before something is created."""
        assert listed(engine) == []

    def test_a_collection_is_listed_as_it_was_created(self, engine: Backend) -> None:
        """Id, name, metadata, configuration, dimension, tenant and database come back.

        Troubleshooting: the configuration is plain JSON that you keep as it is, the unknown parts too.
        """
        info = replace(
            collection(metric=Metric.COSINE, dimension=None),
            metadata={"text": "a 'b' 🏳️‍🌈", "int": 1, "float": 1.0, "bool": True},
            configuration={
                "hnsw": {"space": "cosine", "max_neighbors": 16},
                "embedding_function": {"type": "known", "config": {}},
            },
        )
        engine.create_collection(info)
        assert [_plain(found) for found in listed(engine)] == [_plain(info)], (
            "A collection comes back as it was created."
        )

    def test_metadata_may_be_absent(self, engine: Backend) -> None:
        """A collection without metadata has None, not an empty dict."""
        engine.create_collection(replace(collection(), metadata=None))
        assert [found.metadata for found in listed(engine)] == [None]

    def test_collections_are_listed_in_the_order_of_creation(self, engine: Backend) -> None:
        """The order of creation, not of names or ids; a rename keeps the place."""
        infos = [collection(name) for name in ("mmm", "zzz", "aaa", "kkk", "bbb", "yyy")]
        for info in infos:
            engine.create_collection(info)
        engine.update_collection(replace(infos[2], name="zzzz"))
        assert [info.name for info in listed(engine)] == ["mmm", "zzz", "zzzz", "kkk", "bbb", "yyy"]

    @pytest.mark.parametrize(
        "name", ["Things", "thing", "thin.gs", "a" * 512, "th%ngs", "thing_", "Příliš", "it's", "../things"]
    )
    def test_names_are_compared_whole(self, engine: Backend, name: str) -> None:
        """A name is any text, compared exactly: case counts, and nothing in it is a path, a pattern or SQL."""
        for info in (collection("things"), collection(name)):
            engine.create_collection(info)
        assert [info.name for info in listed(engine)] == ["things", name]
        found = engine.get_collection(name, DEFAULT_TENANT, DEFAULT_DATABASE)
        assert found is not None
        assert found.name == name

    def test_get_collection(self, engine: Backend) -> None:
        """By name and by id; None for what is not there."""
        info = collection()
        engine.create_collection(info)
        where = (DEFAULT_TENANT, DEFAULT_DATABASE)
        found = [engine.get_collection("things", *where), engine.get_collection_by_id(info.id, *where)]
        assert [one and one.id for one in found] == [info.id, info.id]
        assert engine.get_collection("nothing", *where) is None
        assert engine.get_collection_by_id(collection().id, *where) is None

    def test_create_refuses_a_name_that_is_taken(self, engine: Backend) -> None:
        """UniqueConstraintError, and the first collection keeps its id and its records."""
        first = collection()
        with created(engine, first) as store:
            store.put(numbered(3))
        with pytest.raises(UniqueConstraintError):
            engine.create_collection(collection())
        assert [info.id for info in listed(engine)] == [first.id], "A refused create changes nothing."
        with open_store(engine, first) as store:
            assert ids_of(store) == ["r0", "r1", "r2"], "A refused create leaves the records of the first collection."

    def test_update_replaces_name_metadata_configuration_and_dimension(self, engine: Backend) -> None:
        """All four, and the records stay."""
        info = collection(dimension=None)
        engine.create_collection(info)
        changed = replace(
            info, name="renamed", metadata={"new": True}, configuration={"hnsw": {"space": "ip"}}, dimension=4
        )
        engine.update_collection(changed)
        with open_store(engine, changed) as store:
            store.put(numbered(3))
        engine.update_collection(replace(changed, name="again"))
        assert [_plain(found) for found in listed(engine)] == [_plain(replace(changed, name="again"))]
        with open_store(engine, replace(changed, name="again")) as store:
            assert ids_of(store) == ["r0", "r1", "r2"], "A rename keeps the records."

    def test_update_while_the_store_is_open(self, engine: Backend) -> None:
        """The core renames collections in use, and states the dimension at the first write: the open store goes on."""
        info = collection(dimension=None)
        with created(engine, info) as store:
            engine.update_collection(replace(info, dimension=4))
            store.put(numbered(2))
            engine.update_collection(replace(info, dimension=4, name="renamed"))
            store.put(numbered(3))
            assert ids_of(store) == ["r0", "r1", "r2"]

    def test_rename_refuses_a_name_that_is_taken(self, engine: Backend) -> None:
        """UniqueConstraintError, and both collections stay as they were."""
        first, second = collection("first"), collection("second")
        for info in (first, second):
            with created(engine, info) as store:
                store.put(numbered(2))
        with pytest.raises(UniqueConstraintError):
            engine.update_collection(replace(second, name="first", metadata={"new": 1}))
        assert [_plain(info) for info in listed(engine)] == [_plain(first), _plain(second)], (
            "A refused rename changes nothing."
        )
        for info in (first, second):
            with open_store(engine, info) as store:
                assert ids_of(store) == ["r0", "r1"]

    def test_drop_deletes_the_records(self, engine: Backend) -> None:
        """The collection is gone with its records; one made again, even with the same id, begins empty."""
        info, other = collection(), collection("other")
        for one in (info, other):
            with created(engine, one) as store:
                store.put(numbered(3))
        engine.drop_collection(info)
        assert [found.name for found in listed(engine)] == ["other"]
        for again in (info, collection("with another id")):
            with created(engine, again) as store:
                assert ids_of(store) == [], "A dropped collection leaves no records behind."
        with open_store(engine, other) as store:
            assert len(read(store)) == 3, "Dropping one collection leaves the others alone."

    def test_a_collection_that_is_gone(self, engine: Backend) -> None:
        """Open, update and drop raise NotFoundError, whether it was dropped or never there."""
        dropped, unknown = collection("dropped"), collection("unknown")
        engine.create_collection(dropped)
        engine.drop_collection(dropped)
        for info in (dropped, unknown):
            for call in (engine.open_collection, engine.update_collection, engine.drop_collection):
                with pytest.raises(NotFoundError):
                    call(info)
        assert listed(engine) == []

    def test_collections_are_apart(self, engine: Backend) -> None:
        """The same ids in two collections are different records."""
        with created(engine, collection("first")) as first, created(engine, collection("second")) as second:
            first.put(numbered(3))
            second.put(numbered(2))
            second.delete(["r0"])
            assert ids_of(first) == ["r0", "r1", "r2"]
            assert contents(read(second)) == contents(numbered(2).take([1]))

    def test_every_metadata_value_of_a_collection(self, engine: Backend) -> None:
        """The values of a collection's metadata come back with their types."""
        values = {key: value for key, value in HARD_VALUES.items() if isinstance(value, (str, int, float, bool))}
        engine.create_collection(replace(collection(), metadata=values))
        assert exactly(listed(engine)[0].metadata) == exactly(values)

    def test_reset_deletes_everything(self, engine: Backend) -> None:
        """No collection is left, and the database can be used again, also when some were deleted before."""
        for name in ("first", "second", "third"):
            with created(engine, collection(name)) as store:
                store.put(numbered(2))
        engine.drop_collection(listed(engine)[0])
        engine.reset()
        assert listed(engine) == []
        with created(engine, collection("first")) as store:
            assert ids_of(store) == []

    def test_facts(self, engine: Backend) -> None:
        """`heartbeat` is nanoseconds since the epoch, `stats` is plain JSON, `flush` may be called at any time."""
        engine.flush()
        assert engine.heartbeat() > 10**18
        json.dumps(engine.stats())
        with created(engine) as store:
            json.dumps(store.stats())


def _plain(info: CollectionInfo) -> object:
    where = (info.tenant, info.database, info.name, info.id, info.dimension)
    return where, exactly(info.metadata), exactly(info.configuration)
