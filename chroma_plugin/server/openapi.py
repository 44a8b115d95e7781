"""The OpenAPI 3.1 description and a page that shows it, both made from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any, Final

from chroma_plugin.server.routes import Access, Route
from chroma_plugin.server.schemas import SCHEMAS, STRING, reference
from chroma_plugin.version import __version__

_PARAMETER: Final = re.compile(r"{(\w+)}")
_ACCESS: Final = {
    Access.OPEN: "No token needed.",
    Access.READ: "Any token.",
    Access.WRITE: "Not with a read-only token.",
    Access.ADMIN: "Only with a token that is bound to no tenant and not read-only.",
}
_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#8882;padding:.1em .3em}td{padding:.2em 1em .2em 0;vertical-align:top}"
)


def description(routes: Sequence[Route]) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chroma-plugin",
            "version": __version__,
            "description": "Chroma's v2 API over pluggable engines, and an extension for clients of ours.",
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
                "chroma": {"type": "apiKey", "in": "header", "name": "X-Chroma-Token"},
            },
        },
        "security": [{}, {"bearer": []}, {"basic": []}, {"chroma": []}],
    }


def page(routes: Sequence[Route]) -> str:
    """The routes as HTML that loads nothing from anywhere."""
    tables = [
        f"<h2>{escape(tag)}</h2><table>{''.join(map(_row, group))}</table>"
        for tag, group in groupby(sorted(routes, key=lambda route: route.tag), key=lambda route: route.tag)
    ]
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>chroma-plugin</title><style>{_STYLE}</style>"
        f"<h1>chroma-plugin {escape(__version__)}</h1>"
        f'<p>The whole description: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>{"".join(tables)}</html>'
    )


def _row(route: Route) -> str:
    return (
        f"<tr><td><code>{route.method}</code><td><code>{escape(route.path)}</code>"
        f"<td>{escape(route.summary)}. {_ACCESS[route.access]}</tr>"
    )


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "description": _ACCESS[route.access],
        "operationId": _name(route),
        "tags": [route.tag],
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": _responses(route),
    }
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(reference(route.body))}
    return operation


def _name(route: Route) -> str:
    return "_".join([route.method.lower(), *re.findall(r"\w+", route.path.removeprefix("/api/"))])


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {**STRING, "minLength": 1}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()]


def _responses(route: Route) -> dict[str, Any]:
    error = {
        "description": "What was wrong, what was seen, what to do.",
        "headers": {"chroma-trace-id": {"schema": STRING}},
        "content": _json(reference("Error")),
    }
    if not route.answer:
        return {"501": error, "default": error}
    done = {"description": route.summary, "content": _json(route.answer)}
    return {str(route.status): done, "default": error}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
