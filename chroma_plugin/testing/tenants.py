"""The kit's tests of tenants and databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chroma_plugin.backend import Backend
from chroma_plugin.errors import NotFoundError, UniqueConstraintError, UnsupportedError
from chroma_plugin.testing.base import Bench, created, open_store
from chroma_plugin.testing.data import collection, ids_of, numbered
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT


class Tenants(Bench):
    """The default tenant and database are always there; others where the backend overrides `create_tenant`."""

    def test_the_defaults_are_always_there(self, engine: Backend) -> None:
        """One tenant and one database need not be created, and can't be created again."""
        assert DEFAULT_TENANT in engine.list_tenants()
        assert DEFAULT_DATABASE in engine.list_databases(DEFAULT_TENANT)
        with pytest.raises(UniqueConstraintError):
            engine.create_tenant(DEFAULT_TENANT)
        with pytest.raises(UniqueConstraintError):
            engine.create_database(DEFAULT_TENANT, DEFAULT_DATABASE)

    def test_the_defaults_survive_a_reset(self, engine: Backend) -> None:
        """After `reset` a collection can be created at once."""
        engine.reset()
        assert DEFAULT_TENANT in engine.list_tenants()
        engine.create_collection(collection())

    def test_an_unknown_tenant_or_database(self, engine: Backend) -> None:
        """NotFoundError, wherever one is named."""
        with pytest.raises(NotFoundError):
            engine.list_databases("nobody")
        with pytest.raises(NotFoundError):
            engine.create_database("nobody", "new")
        with pytest.raises(NotFoundError):
            engine.drop_database(DEFAULT_TENANT, "nothing")

    def test_a_backend_with_one_tenant_says_so(self, engine: Backend) -> None:
        """Where `create_tenant` is not overridden, a second one is refused with UnsupportedError."""
        if has_tenants(engine):
            pytest.skip("this backend creates tenants")
        with pytest.raises(UnsupportedError):
            engine.create_tenant("second")
        with pytest.raises(UnsupportedError):
            engine.create_database(DEFAULT_TENANT, "second")

    def test_databases_are_apart(self, engine: Backend) -> None:
        """The same name in two databases, or two tenants, is two collections; each is dropped alone."""
        if not has_tenants(engine):
            pytest.skip("this backend has one tenant")
        engine.create_tenant("second")
        for tenant in (DEFAULT_TENANT, "second"):
            engine.create_database(tenant, "other")
        places = [(DEFAULT_TENANT, DEFAULT_DATABASE), (DEFAULT_TENANT, "other"), ("second", "other")]
        infos = [replace(collection(), tenant=tenant, database=database) for tenant, database in places]
        for size, info in enumerate(infos):
            with created(engine, info) as store:
                store.put(numbered(size + 1))
        engine.drop_database(DEFAULT_TENANT, "other")
        assert "other" not in engine.list_databases(DEFAULT_TENANT)
        assert [len(engine.list_collections(*places[row])) for row in (0, 2)] == [1, 1]
        with open_store(engine, infos[2]) as store:
            assert ids_of(store) == ["r0", "r1", "r2"]

    def test_tenants_and_databases_are_created_once(self, engine: Backend) -> None:
        """They are listed afterwards; a second time is refused with UniqueConstraintError."""
        if not has_tenants(engine):
            pytest.skip("this backend has one tenant")
        engine.create_tenant("second")
        engine.create_database("second", "other")
        assert set(engine.list_tenants()) == {DEFAULT_TENANT, "second"}
        assert "other" in engine.list_databases("second")
        with pytest.raises(UniqueConstraintError):
            engine.create_tenant("second")
        with pytest.raises(UniqueConstraintError):
            engine.create_database("second", "other")


def has_tenants(engine: Backend) -> bool:
    """Whether this backend can create tenants: whether it overrides the default that refuses."""
    return type(engine).create_tenant is not Backend.create_tenant
