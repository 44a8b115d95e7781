"""Tenants and databases."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from chroma_plugin.errors import ChromaAuthError, NotFoundError
from chroma_plugin.requests import names
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.paging import page
from chroma_plugin.wording import shown


def create_tenant(call: Call) -> Answer:
    call.served.session.backend.create_tenant(names.tenant_name(call.body().needed("name", str)))
    return answer({})


def get_tenant(call: Call) -> Answer:
    if call.tenant not in call.served.session.backend.list_tenants():
        raise NotFoundError(f"Tenant [{shown(call.tenant)}] not found.")
    return answer({"name": call.tenant, "resource_name": None})


def create_database(call: Call) -> Answer:
    _refuse_bound(call)
    name = names.database_name(call.body().needed("name", str))
    get_tenant(call)
    call.served.session.backend.create_database(call.tenant, name)
    return answer({})


def list_databases(call: Call) -> Answer:
    get_tenant(call)
    visible = [
        name for name in call.served.session.backend.list_databases(call.tenant) if call.grant.database in (None, name)
    ]
    return answer([_database(call.tenant, name) for name in page(visible, call.query)])


def get_database(call: Call) -> Answer:
    call.served.check_database(call.tenant, call.database)
    return answer(_database(call.tenant, call.database))


def delete_database(call: Call) -> Answer:
    _refuse_bound(call)
    call.served.check_database(call.tenant, call.database)
    call.served.session.drop_database(call.tenant, call.database)
    return answer({})


def _refuse_bound(call: Call) -> None:
    if call.grant.database is not None:
        raise ChromaAuthError(f"This token is for what is in the database {call.grant.database!r}, no more.")


def _database(tenant: str, name: str) -> dict[str, Any]:
    return {"id": str(uuid5(NAMESPACE_URL, f"{tenant}/{name}")), "name": name, "tenant": tenant}
