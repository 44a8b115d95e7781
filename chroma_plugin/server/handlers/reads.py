"""What a client has read before a write that depends on it: questions, and digests of the answers."""

from __future__ import annotations

import binascii

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.shown import kind
from chroma_plugin.server.bodies import Body
from chroma_plugin.server.handlers.questions import scan_in, search_in, text_search_in, where_in
from chroma_plugin.types import Count, Metric, Question, Read


def reads_in(body: Body, metric: Metric) -> list[Read]:
    """Those of a body, about a collection with that metric."""
    return [_read(read, metric) for read in body.each("reads")]


def _read(body: Body, metric: Metric) -> Read:
    try:
        answer = binascii.unhexlify(body.needed("answer", str))
    except ValueError as error:
        raise InvalidArgumentError(f"answer is no hexadecimal digest: {kind(body.any('answer'))}.") from error
    return Read(_question(body, metric), answer)


def _question(body: Body, metric: Metric) -> Question:
    if (scan := body.inside("scan")) is not None:
        return scan_in(scan)
    if (count := body.inside("count")) is not None:
        return Count(where_in(count))
    if (search := body.inside("search")) is not None:
        return search_in(search, metric)
    if (search_text := body.inside("search_text")) is not None:
        return text_search_in(search_text)
    raise InvalidArgumentError("A read has no question: scan, count, search or search_text.")
