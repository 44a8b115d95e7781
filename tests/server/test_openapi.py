"""The description of the API is true: what it promises is what is answered."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from chroma_plugin.server.openapi import description
from chroma_plugin.server.routes import ROUTES


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return description(ROUTES)


def test_every_route_is_described_once(described: dict[str, Any]) -> None:
    """With a name of its own, its parameters, and schemas that exist."""
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len(operations) == len(ROUTES)
    assert len({operation["operationId"] for operation in operations}) == len(ROUTES)
    names = set(re.findall(r"#/components/schemas/(\w+)", repr(described)))
    assert names <= set(described["components"]["schemas"])


def test_the_served_description(api: httpx.Client, described: dict[str, Any]) -> None:
    """/openapi.json is it, and /docs is a page that loads nothing from elsewhere."""
    served = api.get("/openapi.json").json()
    assert served["openapi"] == "3.1.0"
    assert set(served["paths"]) == set(described["paths"])
    page = api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "/api/v2/heartbeat" in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_metrics_are_exposed(api: httpx.Client, three: str) -> None:
    """Times by route and status, sizes of collections, queues, in Prometheus' own format."""
    from prometheus_client.parser import text_string_to_metric_families

    api.post(f"{three}/query", json={"query_embeddings": [[1, 2]]})
    api.post(f"{three}/query", json={})
    api.get("/some/unknown/path")
    text = api.get("/metrics").text
    samples: dict[Any, float] = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    counts = {
        (dict(labels)["route"].rpartition("/")[2], dict(labels)["status"])
        for name, *labels in samples
        if name == "chroma_plugin_request_seconds_count"
    }
    assert {("query", "200"), ("query", "400"), ("(no route)", "404")} <= counts
    name = api.get(three.replace("/collections/", "/collections/by-id/")).json()["name"]
    size = ("database", "default_database"), ("name", name), ("tenant", "default_tenant")
    assert samples["chroma_plugin_collection_records", *size] == 3
    assert samples["chroma_plugin_queue_length", ("kind", "read")] == 0
    assert samples[("chroma_plugin_requests_in_flight",)] == 1
    assert "some/unknown" not in text
