"""Where a server is, and what every request to it carries."""

from __future__ import annotations

import base64
from typing import Final
from urllib.parse import urlsplit

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.version import __version__
from chroma_plugin.wording import did_you_mean, shown
from chroma_plugin_rest.options import RestOptions

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PROVIDERS: Final = {
    "token": "token",
    "chromadb.auth.token_authn.TokenAuthClientProvider": "token",
    "chromadb.auth.token.TokenAuthClientProvider": "token",
    "basic": "basic",
    "chromadb.auth.basic_authn.BasicAuthClientProvider": "basic",
    "chromadb.auth.basic.BasicAuthClientProvider": "basic",
}
_TOKEN_HEADERS: Final = {"authorization": "Authorization", "x-chroma-token": "X-Chroma-Token"}


@frozen
class Address:
    """A server, e.g. ``http://localhost:8000/api/v2``."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """``host:port``, as errors name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}{self.path}"


def address_of(options: RestOptions) -> Address:
    """Raises InvalidArgumentError for a host or a port that can't be one."""
    given = options.chroma_server_host.strip()
    if "://" not in given:
        if not given or set(given) & set("/@?# \\"):
            raise InvalidArgumentError(f"chroma_server_host must be a host or a URL, not {shown(given)}.")
        scheme = "https" if options.chroma_server_ssl_enabled else "http"
        return Address(scheme, given.strip("[]"), _port(options.chroma_server_http_port), _path("", options))
    url = urlsplit(given)
    if url.scheme not in _DEFAULT_PORTS or not url.hostname or url.query or url.fragment:
        raise InvalidArgumentError(f"chroma_server_host must be like http://host:8000, not {shown(given)}.")
    if url.username is not None or url.password is not None:
        raise InvalidArgumentError(
            "A URL with a user and a password ends up in logs. Use chroma_client_auth_provider='basic' and "
            "chroma_client_auth_credentials='user:password'."
        )
    return Address(url.scheme, url.hostname, _port(url.port or _DEFAULT_PORTS[url.scheme]), _path(url.path, options))


def headers_of(options: RestOptions) -> dict[str, str]:
    """Raises InvalidArgumentError for an unknown way to log in and for what can't be a header, without its value."""
    headers = {"User-Agent": f"chroma-plugin/{__version__}", "Accept": "application/json"}
    headers |= dict(options.chroma_server_headers or {}) | _authentication(options)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise InvalidArgumentError(f"The header {shown(name)} must be a str of printable ASCII characters.")
    return headers


def _authentication(options: RestOptions) -> dict[str, str]:
    credentials, provider = options.chroma_client_auth_credentials, options.chroma_client_auth_provider
    if provider is not None and provider not in _PROVIDERS:
        raise InvalidArgumentError(
            f"chroma_client_auth_provider can't be {shown(provider)}.{did_you_mean(provider, _PROVIDERS)} "
            f"Use 'token' or 'basic'."
        )
    if credentials is None:
        if provider is not None:
            raise InvalidArgumentError("chroma_client_auth_provider needs chroma_client_auth_credentials.")
        return {}
    if provider is not None and _PROVIDERS[provider] == "basic":
        return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
    header = _token_header(options.chroma_auth_token_transport_header)
    return {header: f"Bearer {credentials}" if header == "Authorization" else credentials}


def _token_header(name: str | None) -> str:
    found = _TOKEN_HEADERS.get((name or "Authorization").lower().replace("_", "-"))
    if found is None:
        raise InvalidArgumentError(
            f"chroma_auth_token_transport_header is 'Authorization' or 'X-Chroma-Token', not {shown(name)}."
        )
    return found


def _port(port: int) -> int:
    if not 0 < port < 65_536:
        raise InvalidArgumentError(f"A port is a number from 1 to 65535, not {port}.")
    return port


def _path(prefix: str, options: RestOptions) -> str:
    return f"{prefix.rstrip('/')}/{options.chroma_server_api_default_path.strip('/')}"
