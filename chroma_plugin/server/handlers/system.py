"""The server itself: is it there, which version, who am I, reset."""

from __future__ import annotations

from typing import Final

from chroma_plugin.errors import ChromaError
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.refusals import Forbidden, Gone
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT
from chroma_plugin.version import __version__

EXTENSION: Final = 1
"""The version of the routes under ``.../store/``; clients of ours look for it in the pre-flight checks."""


def heartbeat(call: Call) -> Answer:
    return answer({"nanosecond heartbeat": call.served.session.backend.heartbeat()})


def version(call: Call) -> Answer:
    # Clients read three numbers and nothing else.
    numbers = [part for part in __version__.split(".") if part.isdigit()]
    return answer(".".join([*numbers, "0", "0"][:3]))


def healthcheck(call: Call) -> Answer:
    """Ready to serve, or 503."""
    try:
        call.served.session.backend.heartbeat()
        ready = True
    except ChromaError:
        ready = False
    return answer({"is_executor_ready": ready, "is_log_client_ready": ready}, 200 if ready else 503)


def pre_flight_checks(call: Call) -> Answer:
    return answer(
        {
            "max_batch_size": call.config.limits.batch,
            "supports_base64_encoding": True,
            "chroma_plugin": {"version": EXTENSION, "max_body_bytes": call.config.limits.body_bytes},
        }
    )


def identity(call: Call) -> Answer:
    """Where the token belongs; without one, the default place."""
    grant = call.grant
    tenant = grant.tenant or DEFAULT_TENANT
    if grant.database is not None:
        databases = [grant.database]
    elif grant.tenant is not None:
        databases = list(call.served.session.backend.list_databases(tenant))
    else:
        databases = [DEFAULT_DATABASE]
    return answer({"user_id": grant.name, "tenant": tenant, "databases": databases})


def reset(call: Call) -> Answer:
    if not call.config.allow_reset:
        raise Forbidden("Reset is disabled by config: start the server with --allow-reset.")
    call.served.session.reset()
    return answer(True)


def flush(call: Call) -> Answer:
    call.served.session.flush()
    return answer({})


def compact(call: Call) -> Answer:
    """Of everything that is served; reads and writes go on meanwhile as far as the backend lets them."""
    call.served.session.backend.compact()
    return answer({})


def version_one(call: Call) -> Answer:
    raise Gone("The v1 API is deprecated. Please use /api/v2: chromadb 0.6 or newer, or chroma-plugin's client.")
