"""What the plans of a search cost on this machine, beside what the planner expects.

    python benchmarks/plans.py --cache DIRECTORY [--records 50000] [--rounds 200]

Every plan is carried out for the same queries, one after the other in each round, at several shares of qualifying
rows. The table has the medians; a plan that the planner would choose is marked. Its constants are right when the
mark stands beside the least time, or near it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import corpus as corpora
import numpy as np

from chroma_plugin.toolkit.background import Background
from chroma_plugin.toolkit.journal import NoJournal
from chroma_plugin.toolkit.local import LocalStore
from chroma_plugin.toolkit.planner import Plan
from chroma_plugin.toolkit.searching import Nearest
from chroma_plugin.types import CollectionInfo, Records

SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)
K = 10


def store_of(vectors: np.ndarray) -> LocalStore:
    info = CollectionInfo(uuid4(), "plans", configuration={"hnsw": {"space": "cosine"}})
    store = LocalStore(info, NoJournal(), Background())
    nothing: list[None] = [None] * len(vectors)
    store.put(Records([str(number) for number in range(len(vectors))], vectors, nothing, nothing))
    store.optimize()
    return store


def possible(nearest: Nearest) -> Iterator[Plan]:
    """The plans that the planner weighs, and a graph for any share."""
    weighed = nearest.task(1).costs()
    yield from weighed
    if nearest.view.graphs and Plan.GRAPH not in weighed:
        yield Plan.GRAPH


def measured(nearest: Nearest, queries: np.ndarray, rounds: int) -> dict[Plan, float]:
    """Milliseconds of each plan; the slow ones are tried less often."""
    times: dict[Plan, list[float]] = {plan: [] for plan in possible(nearest)}
    for turn in range(rounds):
        for plan, spent in times.items():
            if turn < 20 or sum(spent) < 1:
                start = time.perf_counter()
                nearest.by(plan, nearest.task(1)).answer(queries[turn % len(queries)][None])
                spent.append(time.perf_counter() - start)
    return {plan: statistics.median(spent) * 1_000 for plan, spent in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    corpus = corpora.load(options.cache, 53_000)
    vectors = corpora.scaled(corpus.part(0, 52_000), options.records).vectors
    store, queries = store_of(vectors), corpus.vectors[-200:]
    random = np.random.default_rng(0).random(options.records)
    print(f"{'share':>7} " + " ".join(f"{plan.value + ' ms':>12} {'expected':>9}" for plan in Plan))
    for share in SHARES:
        among = store.view.alive if share == 1 else random < share
        nearest = Nearest(store.view, store.settings, K, among, int(among.sum()))
        task = nearest.task(1)
        expected, took = task.costs(), measured(nearest, queries, options.rounds)
        cells = []
        for plan in Plan:
            mark = "*" if plan is task.plan() else " "
            cost = f"{expected[plan] / 1e6:.3f}" if plan in expected else "-"
            cells.append(f"{took[plan]:>11.3f}{mark} {cost:>9}" if plan in took else f"{'-':>12} {'-':>9}")
        print(f"{share:>7.1%} " + " ".join(cells))


if __name__ == "__main__":
    main()
