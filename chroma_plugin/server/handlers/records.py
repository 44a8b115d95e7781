"""The records of a collection, in Chroma's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from chroma_plugin import requests
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.operations import reading, writing
from chroma_plugin.operations.handle import Handle
from chroma_plugin.operations.procedure import run
from chroma_plugin.requests.ids import written_ids
from chroma_plugin.requests.writes import UpdateRequest, Write
from chroma_plugin.server import keys
from chroma_plugin.server.bodies import Body, embeddings
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.adding import columns, keep_keys
from chroma_plugin.server.handlers.extension import records_in
from chroma_plugin.types import Field, Matrix, Scan

_GET_INCLUDE: Final = ("metadatas", "documents")
_QUERY_INCLUDE: Final = ("metadatas", "documents", "distances")
_EMBEDDINGS: Final[frozenset[Field]] = frozenset(("embeddings",))


def update(call: Call) -> Answer:
    """Unknown ids are passed over; what is null stays as it is."""
    handle = call.served.handle(call.collection())
    body = call.body()
    ids = body.ids(call.config.limits.batch)
    rows = body.given("embeddings", list)
    if rows is None or None not in rows:
        _update(handle, ids, None if rows is None else embeddings(rows), body)
        return answer({})
    if len(rows) != len(ids):
        raise InvalidArgumentError(f"There are {len(ids)} ids and {len(rows)} embeddings; give one for each, or null.")
    new = [row for row, given in enumerate(rows) if given is not None]
    if not new:
        _update(handle, ids, None, body)
        return answer({})
    matrix = embeddings([rows[row] for row in new])
    # Read and written under one lock, which may be taken again.
    with handle.writing():
        _update(handle, ids, _filled(handle, written_ids(ids), new, matrix), body)
    return answer({})


def merge(call: Call) -> Answer:
    """The same for clients of ours, who are told which records there were."""
    handle = call.served.handle(call.collection())
    request = UpdateRequest(Write(records_in(call.body(), call.config.limits.batch), None))
    return answer({"merged": _updated(handle, request)})


def get(call: Call) -> Answer:
    handle = call.served.handle(call.collection())
    body = call.body()
    request = requests.get(
        body.given("ids", list),
        body.data("where", dict),
        body.any("limit"),
        body.any("offset"),
        body.data("where_document", dict),
        body.given("include", list) or (_GET_INCLUDE if body.any("include") is None else ()),
        None,
    )
    keys.check_filter(handle.opened.info, request.scan.where)
    return answer(_shown(dict(reading.get(handle, request))))


def query(call: Call) -> Answer:
    handle = call.served.handle(call.collection())
    body = call.body()
    request = requests.query(
        embeddings(body.needed("query_embeddings", list), "query_embeddings"),
        None,
        None,
        None,
        body.given("ids", list),
        body.any("n_results", 10),
        body.data("where", dict),
        body.data("where_document", dict),
        body.given("include", list) or (_QUERY_INCLUDE if body.any("include") is None else ()),
        None,
        False,
    )
    keys.check_filter(handle.opened.info, request.where)
    return answer(_shown(dict(run(reading.query(handle, lambda: request)))))


def delete(call: Call) -> Answer:
    """How many records were there and are gone; with neither ids nor filters, none."""
    handle = call.served.handle(call.collection())
    body = call.body()
    request = requests.delete(
        body.given("ids", list), body.data("where", dict), body.data("where_document", dict), body.any("limit")
    )
    keys.check_filter(handle.opened.info, request.where)
    return answer(writing.delete(handle, request))


def count(call: Call) -> Answer:
    return answer(reading.count(call.served.handle(call.collection()), None))


def indexing_status(call: Call) -> Answer:
    """Every acknowledged write is found by every search, so nothing is ever left to be indexed."""
    records = reading.count(call.served.handle(call.collection()), None)
    return answer(
        {"num_indexed_ops": records, "num_unindexed_ops": 0, "total_ops": records, "op_indexing_progress": 1.0}
    )


def _update(handle: Handle, ids: list[str], matrix: Matrix | None, body: Body) -> None:
    _updated(handle, requests.update(ids, matrix, *columns(body)))


def _updated(handle: Handle, request: UpdateRequest) -> Sequence[str]:
    """The ids of those that there were."""
    report = run(writing.update(handle, lambda: request))
    keep_keys(handle, request.write.records, report.updated)
    return report.updated


def _filled(handle: Handle, ids: list[str], new: list[int], matrix: Matrix) -> Matrix:
    """A row for each id: the new ones, else those that are stored. Unknown ids get zeros, which are never written."""
    filled = np.zeros((len(ids), matrix.shape[1]), dtype=np.float32)
    place = {id: row for row, id in enumerate(ids)}
    with handle.reading() as store:
        handle.opened.check_dimension(store, matrix)
        for batch in store.scan(Scan(ids=ids, fields=_EMBEDDINGS)):
            filled[[place[id] for id in batch.ids]] = batch.embeddings
    filled[new] = matrix
    return filled


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    """A result on the wire, where ``included`` is ``include`` and nothing is loaded."""
    result["include"] = result.pop("included")
    del result["data"]
    return result
