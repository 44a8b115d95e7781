"""Documents and metadata that chromadb has logged and not yet written into its tables, as it would write them.

It is ended between the two by ``kill -9``. They are few, what one call wrote, and are held in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from chroma_plugin.errors import CorruptionError
from chroma_plugin.frozen import frozen
from chroma_plugin.types import Metadata
from chroma_plugin_chromadb.changes import ADD, DELETE, UPDATE
from chroma_plugin_chromadb.database import Database

_LOGGED: Final = """
    SELECT operation, id, metadata FROM embeddings_queue
    WHERE seq_id > ? AND substr(topic, -36) = ? ORDER BY seq_id"""


@frozen
class Unfinished:
    """What is different from the tables, by id."""

    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    """All values of the records that were added or changed."""
    gone: set[str] = field(default_factory=set)
    """Records of the tables that were deleted; one that was added again stands at the end."""
    tabled: frozenset[str] = frozenset()
    """Those of all these that are in the tables."""

    @property
    def added(self) -> list[str]:
        """What stands after all that is in the tables."""
        return [id for id in self.values if id not in self.tabled or id in self.gone]


def read(
    database: Database,
    collection: str,
    applied: int,
    tabled: Callable[[Sequence[str]], Mapping[str, dict[str, Any]]],
) -> Unfinished:
    """``applied`` is the last change that is in the tables, ``tabled`` reads their values for some ids."""
    changes = database.rows(_LOGGED, (applied, collection))
    known = tabled(list(dict.fromkeys(id for _, id, _ in changes)))
    unfinished = Unfinished(tabled=frozenset(known))
    for operation, id, text in changes:
        _apply(unfinished, known, operation, id, _values(text))
    return unfinished


def _apply(
    unfinished: Unfinished, known: Mapping[str, dict[str, Any]], operation: int, id: str, values: Metadata
) -> None:
    current = unfinished.values.get(id)
    if current is None and id not in unfinished.gone:
        current = known.get(id)
    if operation == DELETE:
        unfinished.values.pop(id, None)
        if id in known:
            unfinished.gone.add(id)
    # chromadb ignores the addition of what is there, and the update of what is not.
    elif (operation != ADD or current is None) and (operation != UPDATE or current is not None):
        merged = {**(current or {}), **values}
        # A value that is None takes the key away.
        unfinished.values[id] = {key: value for key, value in merged.items() if value is not None}


def _values(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise CorruptionError("chromadb's log holds metadata that is not JSON.") from error
    if not isinstance(found, dict):
        raise CorruptionError("chromadb's log holds metadata that is not a JSON object.")
    return found
