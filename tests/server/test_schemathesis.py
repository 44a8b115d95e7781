"""Requests made from the description, right and wrong ones: every answer is one that the description has."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case, CheckContext, Response
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from support.server import RunningServer

from chroma_plugin.server.openapi import description
from chroma_plugin.server.routes import ROUTES

_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
# What only says 501 is left out.
_TRIED = [route for route in ROUTES if route.tag != "not here"]
schema = schemathesis.openapi.from_dict(description(_TRIED))


def no_fault_of_the_server(context: CheckContext, response: Response, case: Case) -> None:
    """No 5xx but 501, which says on purpose that something is not here."""
    assert response.status_code < 500 or response.status_code == 501, response.text


CHECKS = (no_fault_of_the_server, response_schema_conformance, status_code_conformance)


@pytest.fixture(scope="module")
def place(server: RunningServer) -> str:
    """The id of a collection that most requests are sent to."""
    body = {"name": "schemathesis", "get_or_create": True}
    id = httpx.post(f"{server.url}{_DATABASE}/collections", json=body).json()["id"]
    httpx.post(f"{server.url}{_DATABASE}/collections/{id}/add", json={"ids": ["a"], "embeddings": [[1, 2]]})
    return str(id)


@schema.parametrize()
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_answers_are_as_described(case: Case, server: RunningServer, place: str) -> None:
    """No 5xx, no status and no body that is not described."""
    # Random names lead to 404 only; most requests should get further.
    parameters = {"tenant": "default_tenant", "database": "default_database", "collection": place}
    if case.method != "DELETE":
        case.path_parameters = {
            name: parameters.get(name, value) for name, value in (case.path_parameters or {}).items()
        }
    case.call_and_validate(base_url=server.url, checks=CHECKS)
