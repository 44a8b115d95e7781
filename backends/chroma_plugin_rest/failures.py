"""What went wrong, said truly: failed connections and error answers as errors of this package."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import httpx
import orjson

from chroma_plugin import errors
from chroma_plugin.errors import ChromaError, UnreachableError
from chroma_plugin_rest.address import Address

_MAX_TEXT: Final = 1_000
_TRACE_HEADER: Final = "chroma-trace-id"

_BY_STATUS: Final[dict[int, type[ChromaError]]] = {
    400: errors.InvalidArgumentError,
    401: errors.AuthorizationError,
    403: errors.ChromaAuthError,
    404: errors.NotFoundError,
    409: errors.UniqueConstraintError,
    413: errors.BatchSizeExceededError,
    415: errors.InvalidArgumentError,
    422: errors.InvalidArgumentError,
    429: errors.RateLimitError,
    501: errors.UnsupportedError,
}
_NAMES_OF_OTHERS: Final = {"AuthorizationError": errors.AuthorizationError, "ValueError": errors.InvalidArgumentError}


def _tree(root: type[ChromaError]) -> Iterator[type[ChromaError]]:
    for child in root.__subclasses__():
        yield child
        yield from _tree(child)


_BY_NAME: Final = {
    cls.name(): cls for cls in _tree(ChromaError) if cls.__module__ == errors.__name__
} | _NAMES_OF_OTHERS


def unreachable(error: httpx.HTTPError, address: Address, what: str) -> UnreachableError:
    """Why there was no answer; ``what`` is the request."""
    place = address.place
    chain = list(causes(error))
    if isinstance(error, httpx.PoolTimeout):
        text = f"{what}: all connections to {place} were busy for too long. Raise chroma_http_max_connections."
    elif isinstance(error, httpx.ConnectTimeout):
        text = f"{place} did not accept a connection in time: it is down, or a firewall is between."
    elif isinstance(error, httpx.TimeoutException):
        text = f"{what}: {place} did not answer in time. {_perhaps_done(what)}"
    elif any(isinstance(cause, socket.gaierror) for cause in chain):
        text = f"The name {address.host!r} can't be resolved: {_last(chain)}."
    elif any(isinstance(cause, ssl.SSLError) for cause in chain):
        text = f"TLS with {place} failed: {_last(chain)}. {_tls_advice(address)}"
    elif isinstance(error, httpx.ConnectError):
        text = _refused(place, chain)
    elif isinstance(error, httpx.RemoteProtocolError) and "illegal" in str(error):
        text = f"{place} does not speak HTTP: {error}. If it speaks TLS, use ssl=True."
    else:
        text = f"{what}: the connection to {place} broke ({str(error) or type(error).__name__}). {_perhaps_done(what)}"
    return UnreachableError(text)


def refusal(response: httpx.Response, address: Address) -> ChromaError:
    """The error that an answer with an error status stands for."""
    name, message = _named(response)
    cls = _BY_NAME.get(name) or _BY_STATUS.get(response.status_code) or errors.InternalError
    if response.status_code in (401, 403) and not name:
        cls = _BY_STATUS[response.status_code]
    text = _text(response, address, name, message)
    error = cls(text)
    error.trace_id = response.headers.get(_TRACE_HEADER)
    return error


def not_chroma(address: Address, seen: str) -> UnreachableError:
    return UnreachableError(
        f"{address.place} is not a Chroma server: {seen}. Look at host, port and "
        f"chroma_server_api_default_path ({address.path})."
    )


def shown_text(response: httpx.Response) -> str:
    text = re.sub(r"\s+", " ", response.text[: 2 * _MAX_TEXT]).strip()
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def _text(response: httpx.Response, address: Address, name: str, message: str) -> str:
    status = response.status_code
    if status == 401:
        return f"401: {address.place} refused the credentials: {message or 'it wants a token'}."
    if status == 403 and name not in _BY_NAME:
        return f"403: {address.place} does not allow this: {message}."
    if not name:
        return f"{address.place} answered {status}: {message or response.reason_phrase}"
    return message


def _named(response: httpx.Response) -> tuple[str, str]:
    """The error's name on the wire and its message; the name is empty when the body is none of ours."""
    try:
        body: Any = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return "", shown_text(response)
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        message = body.get("message")
        # Chroma's servers call every error that has no name of its own ChromaError.
        name = body["error"] if body["error"] != ChromaError.name() else ""
        return name, str(body["error"] if message is None else message)[:_MAX_TEXT]
    if isinstance(body, dict) and "detail" in body:
        return "", str(body["detail"])[:_MAX_TEXT]
    return "", shown_text(response)


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it."""
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [each for each in (cause.__cause__, cause.__context__) if each is not None]
        if isinstance(cause, BaseExceptionGroup):
            pending += cause.exceptions


def _last(chain: list[BaseException]) -> str:
    found = next(cause for cause in chain if isinstance(cause, (socket.gaierror, ssl.SSLError)))
    return str(found.args[1] if len(found.args) > 1 else found)


def _refused(place: str, chain: list[BaseException]) -> str:
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return f"Nothing listens at {place}. Start a server with `chroma-plugin run`, or look at host and port."
    reason = next((str(cause) for cause in chain if isinstance(cause, OSError) and str(cause)), str(chain[0]))
    return f"{place} can't be reached: {reason}."


def _tls_advice(address: Address) -> str:
    if address.scheme == "https":
        return "Look at the certificate (chroma_server_ssl_verify), or use ssl=False if the server has no TLS."
    return ""


def _perhaps_done(what: str) -> str:
    return "" if what.startswith("GET") else "If it was a write, it may have been done."
