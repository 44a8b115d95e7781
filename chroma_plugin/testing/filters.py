"""The kit's tests of filters on the store: what `takes` accepts must mean what `chroma_plugin.filters.ast` says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.backend import Backend, CollectionStore, Pushdown
from chroma_plugin.filters.ast import (
    DOCUMENT,
    ID,
    And,
    Compare,
    Contains,
    Exists,
    Expr,
    In,
    Not,
    Op,
    Or,
    Path,
    Regex,
    Scalar,
)
from chroma_plugin.operations import pushdown
from chroma_plugin.testing import strategies
from chroma_plugin.testing.base import Bench, created
from chroma_plugin.testing.data import DIMENSION, collection, ids_of, records
from chroma_plugin.testing.judge import matching
from chroma_plugin.types import NO_FIELDS, Metric, Records, Scan, Search

BIG: Final = 2**53
VALUES: Final[tuple[object, ...]] = (
    *(None, True, False, 0, 1, 1.0, -1, 1.5, -1.5, 2, -0.0),
    *(BIG, BIG + 1, float(BIG), 2**63 - 1, float(2**63), -(2**63), 1e308, 5e-324),
    *("", "1", "true", "a", "A", "ab", "b", "it's", "100%", "é", "e\u0301", "🏳️‍🌈", "NUL \x00", "ÿ", "𝔘"),
    *([], [1], [1.0, "1"], [True], ["a", "ab"], [None], [[1]], {}, {"b": 1}, {"b": {"c": True}}, {"b": None}, {"": 1}),
)
"""What the field ``a`` of the table's records holds, one record each."""

OPERANDS: Final[tuple[Scalar, ...]] = tuple(value for value in VALUES if not isinstance(value, (list, dict)))  # type: ignore[misc]
PATHS: Final = (Path(("a",)), Path(("a.b",)), Path(("a", "b")), Path(("a", "b", "c")), Path(('it\'s "a" $.x[0]',)))
TEXTS: Final = ("a", "A", "", "100%", "_", "it's", "🏳️‍🌈", "\x00", "é", "1")
PATTERNS: Final = ("a", "^a", "a$", "(?i)A", "a|b", r"\d", "^$", ".", r"[à-ÿ]", r"100%", "it's")


def table() -> Records:
    """Records that hold every value, in several places, and some that hold nothing."""
    metadatas: list[dict[str, object] | None] = [{"a": value} for value in VALUES]
    metadatas += [
        {"a.b": 1},
        {"a.b": "x", "a": {"b": "y"}},
        {'it\'s "a" $.x[0]': 1},
        {"b": 1},
        {"other": 1},
        None,
        None,
    ]
    documents: list[str | None] = [value if isinstance(value, str) else None for value in VALUES]
    documents += ["a.b", "Document with a\nsecond line", "100 percent", "it's", "A", "", None]
    return records(
        [f"id{row}" if row % 5 else f"it's {row}" for row in range(len(metadatas))], None, documents, metadatas
    )


def comparisons(op: Op) -> Iterator[Expr]:
    """This comparison of every field with every kind of value."""
    ordered = op not in (Op.EQ, Op.NE)
    for value in OPERANDS:
        if not ordered or (value is not None and not isinstance(value, bool)):
            yield from (Compare(path, op, value) for path in (PATHS if value in (1, "x", "y") else PATHS[:1]))
    yield from (Compare(path, op, value) for path in (DOCUMENT, ID) for value in ("a", "id1", "it's 5", ""))


def other_nodes() -> Iterator[Expr]:
    """Every other leaf."""
    key = PATHS[0]
    yield from (
        In(key, values) for values in ((1,), (True, "1"), (None,), (1.5, BIG + 1), ("a", None, False), OPERANDS)
    )
    yield from (In(path, ("id1", "a", "it's 5")) for path in (DOCUMENT, ID))
    yield from (Exists(path) for path in (*PATHS, DOCUMENT, Path(("nothing",))))
    yield from (Contains(key, value) for value in OPERANDS)
    yield from (Contains(path, text) for path in (DOCUMENT, ID) for text in TEXTS if text)
    yield from (Regex(path, pattern) for path in (key, DOCUMENT, ID) for pattern in PATTERNS)


def combinations() -> Iterator[Expr]:
    """And, Or and Not over leaves that match, miss, and are missing."""
    one, text, nothing = (Compare(PATHS[0], Op.GE, 1), Contains(DOCUMENT, "a"), Compare(Path(("no",)), Op.NE, 1))
    yield from (And(()), Or(()), Not(And(())), Not(Or(())))
    yield from (And((one, nothing)), Or((one, text)), And((Or((one, text)), Not(nothing))), Not(And((one, text))))
    yield from (Not(node) for node in (*comparisons(Op.EQ), *comparisons(Op.LT), *other_nodes()))
    yield Not(Not(Or((Not(one), And((text, Not(text)))))))
    deep: Expr = one
    for _ in range(30):
        deep = Not(Or((deep, And((text, nothing)))))
    yield deep


NODES: Final = {
    **{op.value: tuple(comparisons(op)) for op in Op},
    "In, Exists, Contains, Regex": tuple(other_nodes()),
    "And, Or, Not": tuple(combinations()),
}


class Filters(Bench):
    """Where `takes` says EXACT the store finds just what the reference finds; where INEXACT, at least that.

    Troubleshooting: answer NO for what your engine sees differently; the core then does that part itself. The usual
    traps: NE and Not match records without the field; True is not 1; integers beyond 2**53; a dot or a quote in a key;
    EQ None matches missing fields.
    """

    @pytest.mark.parametrize("kind", NODES)
    def test_every_node(self, store: CollectionStore, kind: str) -> None:
        """The table: every node, against values of every kind."""
        written = table()
        store.put(written)
        wrong = [text for node in NODES[kind] for text in disagreements(store, written, node)]
        assert not wrong, "Filters that mean something else here:\n" + "\n".join(wrong[:20])

    def test_random_filters(self, engine: Backend) -> None:
        """Random records, and filters over values near the stored ones."""

        @self.property
        @given(st.data())
        def check(data: st.DataObject) -> None:
            written = data.draw(strategies.records(DIMENSION))
            where = data.draw(strategies.exprs_for(written))
            info = collection()
            with created(engine, info) as store:
                store.put(written)
                wrong = list(disagreements(store, written, where))
            engine.drop_collection(info)
            assert not wrong, "\n".join(wrong)

        check()

    def test_filters_together_with_ids_and_a_slice(self, store: CollectionStore) -> None:
        """``ids``, ``where``, ``limit`` and ``offset`` in one scan: the slice is cut from what both leave."""
        where = Compare(Path(("row",)), Op.GE, 4)
        if store.takes(where) is not Pushdown.EXACT:
            pytest.skip("this store leaves filters to the core")
        ids = [f"r{row}" for row in range(12)]
        store.put(records(ids))
        assert ids_of(store, Scan(where=where, offset=1, limit=3)) == ["r5", "r6", "r7"]
        backwards = ids[::-1]
        assert ids_of(store, Scan(ids=backwards, where=where, offset=1, limit=3)) == ["r10", "r9", "r8"]

    def test_delete_where(self, store: CollectionStore) -> None:
        """It deletes what matches, nothing else, and returns the number."""
        where = Compare(Path(("row",)), Op.GE, 4)
        if store.takes(where) is not Pushdown.EXACT:
            pytest.skip("this store leaves filters to the core")
        store.put(records([f"r{row}" for row in range(12)]))
        assert store.delete_where(where) == 8, "`delete_where` returns how many it deleted."
        assert ids_of(store) == ["r0", "r1", "r2", "r3"]
        assert store.delete_where(where) == 0


def disagreements(store: CollectionStore, written: Records, where: Expr) -> Iterator[str]:
    """A sentence for every method of the store that evaluates a filter otherwise than the reference."""
    parts = pushdown.split(store, where)
    if parts.pushed is None:
        return
    expected = [written.ids[row] for row in matching(written, where)]
    found = ids_of(store, Scan(where=parts.pushed, fields=NO_FIELDS))
    if parts.checked is not None:
        if lost := [id for id in expected if id not in found]:
            yield f"`takes` says EXACT or INEXACT; `scan` loses {_shown(written, lost)} under {parts.pushed}"
        return
    if found != expected:
        missing, extra = [id for id in expected if id not in found], [id for id in found if id not in expected]
        wrong = f"misses {_shown(written, missing)} and adds {_shown(written, extra)}"
        yield f"`takes` says EXACT; `scan` {wrong} under {where}"
    if (count := store.count(parts.pushed)) != len(expected):
        yield f"`count` gives {count} instead of {len(expected)} under {where}"
    yield from _wrong_search(store, written, parts.pushed, expected)


def _wrong_search(store: CollectionStore, written: Records, where: Expr, expected: list[str]) -> Iterator[str]:
    query = np.zeros((1, DIMENSION), dtype=np.float32)
    [hits] = store.search(Search(query, len(written) + 1, Metric.L2, where=where))
    if sorted(hits.records.ids) != sorted(expected):
        yield f"`search` finds {sorted(hits.records.ids)} instead of {sorted(expected)} under {where}"


def _shown(written: Records, ids: list[str]) -> str:
    if not ids:
        return "nothing"
    assert written.metadatas is not None
    assert written.documents is not None
    rows = [written.ids.index(id) for id in ids[:3]]
    return ", ".join(f"{written.ids[row]!r} {written.metadatas[row]!r} {written.documents[row]!r}" for row in rows)
