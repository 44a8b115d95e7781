"""The backend ``rest``: a name that people use, with its options; its package is not part of this release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chroma_plugin.plugins.hookspecs import hookimpl
from chroma_plugin.plugins.specs import BackendSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """How to reach a Chroma server; the names are those of `chroma_plugin.config.Settings`."""

    chroma_server_host: str = "localhost"
    chroma_server_http_port: int = 8000
    chroma_server_ssl_enabled: bool = False
    chroma_server_ssl_verify: bool | str | None = None
    """False: any certificate will do; a str: the file or folder of the authorities to trust."""
    chroma_server_headers: Mapping[str, str] | None = None
    chroma_server_api_default_path: str = "/api/v2"
    chroma_client_auth_provider: str | None = None
    chroma_client_auth_credentials: str | None = None
    chroma_auth_token_transport_header: str | None = None


@hookimpl
def register_backends() -> tuple[BackendSpec, ...]:
    return (
        BackendSpec(
            name="rest",
            open="chroma_plugin_rest:open_server",
            options="chroma_plugin.plugins.rest:RestOptions",
            summary="A Chroma server over HTTP; not part of this release",
            requires=("chroma_plugin_rest",),
            # There is nothing to install yet, so this is no pip line.
            install="that package is not part of this release yet; memory and duckdb work in this process",
        ),
    )
