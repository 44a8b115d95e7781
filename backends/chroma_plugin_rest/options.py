"""What users may set for the ``rest`` backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RestOptions:
    """How to reach a Chroma server; most names are those of `chroma_plugin.config.Settings`."""

    chroma_server_host: str = "localhost"
    """A name or an address, or a whole URL; then the URL decides about port and TLS."""
    chroma_server_http_port: int = 8000
    chroma_server_ssl_enabled: bool = False
    chroma_server_ssl_verify: bool | str | None = None
    """False: any certificate will do; a str: the file or folder of the authorities to trust."""
    chroma_server_headers: Mapping[str, str] | None = field(default=None, repr=False)
    """Headers of every request."""
    chroma_server_api_default_path: str = "/api/v2"
    chroma_client_auth_provider: str | None = None
    """``"token"`` or ``"basic"``, or Chroma's class paths for them; a token when only credentials are given."""
    chroma_client_auth_credentials: str | None = field(default=None, repr=False)
    """The token, or ``user:password``."""
    chroma_auth_token_transport_header: str | None = None
    """``"Authorization"`` (the default) or ``"X-Chroma-Token"``."""
    chroma_http_keepalive_secs: float = 40
    """Seconds that an idle connection is kept."""
    chroma_http_max_connections: int = 64
    """Connections at the same time; further requests wait for one."""
    connect_timeout: float = 5
    """Seconds until a server must have accepted a connection."""
    timeout: float = 60
    """Seconds that a server may stay silent."""
    retries: int = 3
    """How often a request that is safe to repeat is sent again."""
