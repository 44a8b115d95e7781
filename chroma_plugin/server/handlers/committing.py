"""The end of a transaction of our own clients: what it has read is asked again, then everything is written as one."""

from __future__ import annotations

from functools import partial

from chroma_plugin import transactions
from chroma_plugin.backend import Change, CollectionStore
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.frozen import frozen
from chroma_plugin.requests.ids import wanted_ids
from chroma_plugin.server import keys
from chroma_plugin.server.bodies import Body
from chroma_plugin.server.call import Answer, Call, answer
from chroma_plugin.server.handlers.extension import records_in, whole
from chroma_plugin.server.handlers.reads import reads_in
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import Read, Records


@frozen(eq=False)
class _Part:
    """What is wanted of one collection."""

    opened: OpenCollection
    reads: list[Read]
    deleted: list[str]
    written: Records | None

    def change(self, store: CollectionStore) -> Change:
        if self.written is not None and self.written.embeddings is not None:
            self.opened.check_dimension(store, self.written.embeddings)
        return Change(store, self.reads, self.deleted, self.written, partial(transactions.check, self.reads))


def commit(call: Call) -> Answer:
    """409 when a read is stale."""
    call.served.check_database(call.tenant, call.database)
    parts = [_part(call, body) for body in call.body().each("changes")]
    if len({part.opened for part in parts}) < len(parts):
        raise InvalidArgumentError("changes names a collection twice: say all that is wanted of it once.")
    with transactions.writing([part.opened for part in parts]) as stores:
        changes = {part.opened: part.change(stores[part.opened]) for part in parts}
        transactions.commit(call.served.session.backend, changes)
    for part in parts:
        if part.written is not None:
            keys.keep(part.opened, part.written.metadatas or ())
    return answer({})


def _part(call: Call, body: Body) -> _Part:
    opened = call.served.by_id(call.tenant, call.database, body.needed("collection", str))
    written = None
    if body.inside("records") is not None:
        written = whole(records_in(body, call.config.limits.batch))
    return _Part(
        opened,
        reads=reads_in(body, opened.info.metric),
        deleted=wanted_ids(body.given("deleted", list) or []),
        written=written,
    )
