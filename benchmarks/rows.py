"""What is measured, and what is asked of it: the rows of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

GOOD, BETTER = 0.98, 0.995
"""Recalls at which engines with a knob are compared."""


@dataclass(frozen=True)
class Row:
    key: str
    label: str
    ask: dict[str, Any] = field(default_factory=dict)
    """What the process of the engine is asked."""
    truth: str | None = None
    """The filter whose exact answers recall is measured by."""
    reaching: float = GOOD
    """The recall that the engine's knob is set for."""
    target: float | None = None
    """How many times faster (or smaller) than chromadb."""
    limit: float | None = None
    """What it may be at most, in its unit."""
    alike: bool = False
    """There is no truth to it: recall is what an engine finds of what the first one found."""
    durable: bool = False
    """Only engines that are as durable are rivals."""
    behind: str = ""
    """Why another engine that keeps records, too, may be better, as long as one is."""
    unit: str = "ms"


def _where(filter: str) -> Row:
    ask = {"do": "query_where", "filter": filter}
    return Row(f"where {filter}", f"query where {filter}", ask, truth=filter, target=60)


def _texts(do: str, wanted: str, label: str, filter: str | None = None) -> Row:
    ask = {"do": do, "pattern" if do == "regex" else "word": wanted, "filter": filter}
    return Row(f"{do} {wanted} {filter or ''}".strip(), label, ask, target=5)


_COMMIT = "DuckDB checks, logs and syncs a table of columns"

BULK = (
    Row("ingest", "bulk ingest", target=25, durable=True),
    Row("early", "query while the index is built", truth="all"),
    Row("add p50", "one add, p50, right after the bulk", target=5, durable=True, behind=_COMMIT),
    Row("add p99", "one add, p99", durable=True, behind=_COMMIT),
    Row("indexed", "bulk ingest until the index is complete", durable=True),
)
OPENING = (
    Row("import", "import", limit=200),
    Row("cold", "cold open + first query", target=2, behind="numpy and most of this package are imported here"),
    Row(
        "start",
        "import, cold open and first query: what a script waits",
        behind="many more modules of Python are imported",
    ),
    Row("rss", "resident after open and 100 queries", target=1, unit="MiB", behind="it keeps nothing, and reads all"),
    Row("disk", "disk per record", target=1, unit="B", behind="no graph, no sketches, texts once and compressed"),
)
READS = (
    Row("query", "query k=10, recall >= 0.98", {"do": "query"}, truth="all", target=9),
    Row("query 0.995", "query k=10, recall >= 0.995", {"do": "query"}, truth="all", reaching=BETTER),
    Row("exact", "query k=10, exact", {"do": "query_exact"}, truth="all", limit=1.5),
    Row("batch", "1,000 queries in a call, each", {"do": "query_many"}, truth="all", target=8),
    Row("1 thread", "query from 1 thread, each", {"do": "threads", "count": 1}),
    Row("2 threads", "query from 2 threads, each", {"do": "threads", "count": 2}),
    Row("8 threads", "query from 8 threads, each", {"do": "threads", "count": 8}),
    *(_where(share) for share in ("50 %", "10 %", "1 %", "0.1 %", "10 % clustered", "1 % clustered")),
    *(_where(kind) for kind in ("compound", "or", "not equal")),
    Row("get 1", "get 1 id", {"do": "get", "count": 1}, target=25),
    Row("get 100", "get 100 ids", {"do": "get", "count": 100}, target=25),
    Row("get where", "get where 10 %, limit 100", {"do": "get_where", "filter": "10 %", "count": 100}, target=50),
    Row("count where", "count where 10 %", {"do": "count_where", "filter": "10 %"}, target=25),
    Row("hybrid", "hybrid: words and vector, k=10", {"do": "hybrid"}, alike=True),
    *(_texts("contains", word, f"get $contains, {word} word") for word in ("rare", "common")),
    _texts("contains", "common", "get $contains, common word, where 1 %", "1 %"),
    *(_texts("regex", word, f"get $regex, {word} word") for word in ("rare", "common")),
    _texts("regex", "open", "get $regex, no word in it"),
    _texts("regex", "open", "get $regex, no word in it, where 1 %", "1 %"),
    *(_texts("query_contains", word, f"query $contains, {word} word") for word in ("rare", "common")),
    _texts("query_contains", "common", "query $contains, common word, where 10 %", "10 %"),
)
WRITES = (
    Row("update metadata", "update metadata of 1,000", {"do": "update_metadata"}, target=15, durable=True),
    Row("update vectors", "update vectors of 1,000", {"do": "update_vectors"}, target=15, durable=True, behind=_COMMIT),
    Row("upsert", "upsert 1,000, half of them new", {"do": "upsert"}, target=15, durable=True),
    Row("delete", "delete 1,000", {"do": "delete"}, target=15, durable=True),
)
CHURN = (
    Row("churn", "delete and add half of 10,000, a round", durable=True),
    Row("churned", "recall lost after ten such rounds", limit=0.005, unit="recall"),
    Row("grown", "disk after them, beside before", limit=1.25, unit="x"),
)
ROWS = (*BULK, *OPENING, *READS, *WRITES, *CHURN)
TIMED = ("query", "query_exact", "query_where", "query_contains", "query_many", "threads", "get", "get_where")
TIMED += ("count_where", "contains", "regex", "hybrid")
LIMITED = ("query", "query_exact", "query_where", "query_contains", "hybrid")
GROWING = ("query", "exact", "batch", "where 50 %", "where 10 %", "where 1 %", "get 100", "hybrid")
"""The reads that are measured at every size."""


def asked(row: Row, limit: int, seconds: float, turn: int) -> dict[str, Any]:
    """What to ask in that round, with how much of it."""
    ask = dict(row.ask)
    if ask["do"] in TIMED:
        ask["seconds"] = seconds
    else:
        ask["turn"] = turn
    if ask["do"] in LIMITED:
        ask["limit"] = limit
    return ask
