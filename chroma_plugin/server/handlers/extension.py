"""A `CollectionStore` over HTTP, for clients of ours: what they ask is what a backend is asked, so nothing is lost on
the way.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np

from chroma_plugin import requests, transactions
from chroma_plugin.backend import CollectionStore
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.wire import from_wire
from chroma_plugin.operations import pushdown
from chroma_plugin.requests.ids import wanted_ids, written_ids
from chroma_plugin.server import keys
from chroma_plugin.server.bodies import Body, packed
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.questions import scan_in, search_in, text_search_in, where_in
from chroma_plugin.server.handlers.reads import reads_in
from chroma_plugin.types import (
    NO_FIELDS,
    Field,
    Hits,
    Ranked,
    Records,
    Scan,
    concatenate,
)

_T = TypeVar("_T")
_WHOLE: Final[frozenset[Field]] = frozenset(("embeddings", "documents", "metadatas"))


def update(call: Call) -> Answer:
    """Ids that are gone meanwhile are passed over. 409 when what the client has read before is stale."""
    opened = call.collection()
    body = call.body()
    records, reads = records_in(body, call.config.limits.batch), reads_in(body, opened.info.metric)

    def revise(store: CollectionStore) -> Records:
        transactions.check(reads, store)
        known = {id for batch in store.scan(Scan(ids=records.ids, fields=NO_FIELDS)) for id in batch.ids}
        rows = [row for row, id in enumerate(records.ids) if id in known]
        changed = records if len(rows) == len(records) else records.take(rows)
        if rows:
            store.update(changed)
        return changed

    with opened.writing() as store:
        if records.embeddings is not None:
            opened.check_dimension(store, records.embeddings)
        changed = store.revise(revise)
    keys.keep(opened, changed.metadatas or ())
    return answer({})


def delete(call: Call) -> Answer:
    opened = call.collection()
    ids = wanted_ids(call.body().needed("ids", list))
    with opened.writing() as store:
        return answer({"deleted": store.delete(ids) if ids else 0})


def delete_where(call: Call) -> Answer:
    opened = call.collection()
    where = from_wire(call.body().data("where", dict))
    with opened.writing() as store:
        return answer({"deleted": pushdown.delete_where(store, where)})


def scan(call: Call) -> Answer:
    opened = call.collection()
    request = scan_in(call.body())
    with opened.reading() as store:
        batches = list(pushdown.scan(store, request))
    return answer({"records": _shown(concatenate(batches), request.fields)})


def count(call: Call) -> Answer:
    opened = call.collection()
    where = where_in(call.body())
    with opened.reading() as store:
        return answer({"count": pushdown.count(store, where)})


def search(call: Call) -> Answer:
    opened = call.collection()
    request = search_in(call.body(), opened.info.metric)
    with opened.reading() as store:
        if opened.check_dimension(store, request.embeddings) is None:
            hits = [Hits(Records(ids=[]), np.zeros(0, dtype=np.float32))] * len(request.embeddings)
        else:
            hits = pushdown.search(store, request)
    return answer({"hits": [_hits(found, request.fields) for found in hits]})


def search_text(call: Call) -> Answer:
    opened = call.collection()
    request = text_search_in(call.body())
    with opened.reading() as store:
        found = pushdown.search_text(store, request)
    return answer({"ranked": [_ranked(ranked, request.fields) for ranked in found]})


def optimize(call: Call) -> Answer:
    with call.collection().reading() as store:
        store.optimize()
    return answer({})


def stats(call: Call) -> Answer:
    with call.collection().reading() as store:
        return answer(store.stats())


# -- records in ----------------------------------------------------------------------------------------------------


def whole(records: Records) -> Records:
    """The same records. Raises InvalidArgumentError when a column is missing."""
    missing = [name for name in sorted(_WHOLE) if getattr(records, name) is None]
    if missing:
        raise InvalidArgumentError(f"Whole records are needed, but {', '.join(missing)} is missing.")
    return records


def records_in(outer: Body, most: int) -> Records:
    """The records of a body, checked like those of every write."""
    body = outer.inside("records") or Body({})
    ids = body.ids(most)
    text = body.given("embeddings", str)
    matrix = None if text is None else packed(text, body.needed("dimension", int))
    write = requests.add(
        written_ids(ids), matrix, body.given("metadatas", list), body.given("documents", list), None,
        body.given("uris", list), None,
    )  # fmt: skip
    return write.write.records


# -- records out -----------------------------------------------------------------------------------------------------


def _shown(records: Records, fields: frozenset[Field]) -> dict[str, Any]:
    count = len(records)
    if records.embeddings is None or not count:
        matrix, dimension = None, None
        if "embeddings" in fields and not count:
            matrix, dimension = "", 0
    else:
        matrix, dimension = _base64(records.embeddings), records.embeddings.shape[1]
    return {
        "ids": list(records.ids),
        "embeddings": matrix,
        "dimension": dimension,
        "documents": _column(records.documents, count, "documents" in fields),
        "metadatas": _column(records.metadatas, count, "metadatas" in fields),
        "uris": _column(records.uris, count, "uris" in fields),
    }


def _column(values: Sequence[Any] | None, count: int, wanted: bool) -> list[Any] | None:
    if not wanted:
        return None
    return [None] * count if values is None else list(values)


def _hits(hits: Hits, fields: frozenset[Field]) -> dict[str, Any]:
    return {"records": _shown(hits.records, fields), "distances": _base64(hits.distances)}


def _ranked(ranked: Ranked, fields: frozenset[Field]) -> dict[str, Any]:
    return {"records": _shown(ranked.records, fields), "scores": ranked.scores.tolist()}


def _base64(array: Any) -> str:
    return b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode("ascii")
