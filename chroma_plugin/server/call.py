"""One request as a handler sees it, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import orjson

from chroma_plugin.frozen import frozen

if TYPE_CHECKING:
    from chroma_plugin.server.bodies import Body
    from chroma_plugin.server.config import ServerConfig
    from chroma_plugin.server.served import Served
    from chroma_plugin.server.tokens import Grant
    from chroma_plugin.sessions.open_collection import OpenCollection

JSON: Final = b"application/json"
HTML: Final = b"text/html; charset=utf-8"
TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"


@frozen
class Answer:
    body: bytes
    status: int = 200
    media_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def answer(value: Any, status: int = 200) -> Answer:
    """The value as JSON; arrays of numpy become lists of numbers."""
    return Answer(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status)


@frozen
class Call:
    """Path parameters are decoded; the token was checked, the body was not read as anything yet."""

    served: Served
    config: ServerConfig
    grant: Grant
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""

    @property
    def tenant(self) -> str:
        return self.path["tenant"]

    @property
    def database(self) -> str:
        return self.path["database"]

    def collection(self) -> OpenCollection:
        """The collection of the path. Raises NotFoundError."""
        return self.served.by_id(self.tenant, self.database, self.path["collection"])

    def body(self) -> Body:
        """The JSON object that was sent. Raises InvalidArgumentError for anything else."""
        from chroma_plugin.server.bodies import parse

        return parse(self.raw)
