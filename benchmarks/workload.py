"""What every engine is asked: the records, the queries, the filters, and the right answers, in a folder of files."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from engines.protocol import Records, Where

K = 10
EVERYTHING = "all"
ROUNDING = 1e-5
"""Records at the same distance are equally right; engines round differently."""


@dataclass(frozen=True)
class Folder:
    """The processes of the engines read from it, each only what it needs."""

    path: Path

    @cached_property
    def vectors(self) -> np.ndarray:
        return np.asarray(np.load(self.path / "vectors.npy"))

    @cached_property
    def queries(self) -> np.ndarray:
        return np.asarray(np.load(self.path / "queries.npy"))

    @cached_property
    def texts(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.path / "texts.json").read_text())
        return told

    @cached_property
    def plan(self) -> dict[str, Any]:
        """``count``, ``singles``, ``churned``, ``filters``, ``words``, ``patterns`` and ``questions``."""
        told: dict[str, Any] = json.loads((self.path / "plan.json").read_text())
        return told

    def records(self, numbers: Sequence[int], sources: Sequence[int] | None = None) -> Records:
        """Records of those numbers, with the contents of those rows (by default the same)."""
        rows = list(numbers if sources is None else sources)
        texts = self.texts
        documents, metadatas = texts["documents"], texts["metadatas"]
        return Records(numbers, self.vectors[rows], [documents[row] for row in rows], [metadatas[row] for row in rows])


def filters(metadatas: Sequence[Mapping[str, Any]]) -> dict[str, Where]:
    """By name. `bucket` is spread at random; the records of one `package` lie close together."""
    tenth, hundredth = (_package(metadatas, share) for share in (0.1, 0.01))
    longer = int(np.median([metadata["length"] for metadata in metadatas]))
    return {
        "50 %": {"bucket": {"$lt": 500}},
        "10 %": {"bucket": {"$lt": 100}},
        "1 %": {"bucket": {"$lt": 10}},
        "0.1 %": {"bucket": 7},
        "10 % clustered": {"package": tenth},
        "1 % clustered": {"package": hundredth},
        "compound": {"$and": [{"kind": "FunctionDef"}, {"length": {"$gte": longer}}, {"bucket": {"$lt": 200}}]},
        "or": {"$or": [{"package": hundredth}, {"bucket": {"$lt": 25}}]},
        "not equal": {"kind": {"$ne": "ClassDef"}},
    }


def _package(metadatas: Sequence[Mapping[str, Any]], share: float) -> str:
    """The package whose part of the records is nearest to that share."""
    names, counts = np.unique([metadata["package"] for metadata in metadatas], return_counts=True)
    return str(names[np.argmin(np.abs(np.log(counts / len(metadatas) / share)))])


def words(documents: Sequence[str]) -> dict[str, str]:
    """A word that stands in one document of a thousand, and one that stands in a tenth of them."""
    counts = Counter(word for text in documents for word in set(re.findall(r"\b[a-z]{5,12}\b", text)))
    shares = {"rare": 0.001, "common": 0.1}
    return {name: _word(counts, share * len(documents)) for name, share in shares.items()}


def _word(counts: Counter[str], wanted: float) -> str:
    return min(sorted(counts), key=lambda word: abs(math.log(counts[word] / wanted)))


def patterns(words: Mapping[str, str]) -> dict[str, str]:
    """With a rare word in it, with a common one, and with no text that has to be there."""
    return {name: rf"{word}(s|ed)? [a-z]+" for name, word in words.items()} | {"open": r"[0-9][0-9]+[a-z]"}


def mask(metadatas: Sequence[Mapping[str, Any]], where: Where) -> np.ndarray:
    return np.fromiter((_holds(metadata, where) for metadata in metadatas), dtype=bool, count=len(metadatas))


def _holds(metadata: Mapping[str, Any], where: Where) -> bool:
    [(key, wanted)] = where.items()
    if key in ("$and", "$or"):
        return (all if key == "$and" else any)(_holds(metadata, part) for part in wanted)
    [(sign, operand)] = wanted.items() if isinstance(wanted, Mapping) else [("$eq", wanted)]
    value = metadata[key]
    return bool({"$eq": value == operand, "$ne": value != operand}.get(sign, (value < operand) == (sign == "$lt")))


class Judge:
    """The exact answers, by numpy."""

    def __init__(self, vectors: np.ndarray, queries: np.ndarray, masks: Mapping[str, np.ndarray]) -> None:
        self.vectors, self.queries, self.masks = vectors, queries, masks
        self.worst = {name: self._worst(mask) for name, mask in masks.items()}

    def _worst(self, mask: np.ndarray) -> np.ndarray:
        """The similarity of each query's K-th neighbour among the rows of the mask."""
        rows = self.vectors[mask]
        k = min(K, len(rows))
        blocks = (self.queries[start : start + 100] @ rows.T for start in range(0, len(self.queries), 100))
        return np.concatenate([-np.partition(-block, k - 1, axis=1)[:, k - 1] for block in blocks])

    def recall(self, name: str, found: Sequence[Sequence[int]]) -> float:
        """The share of right answers, of as many as there could be; wrong and repeated ones count for nothing."""
        wanted = min(K, int(self.masks[name].sum()))
        right = sum(self._right(name, number, numbers) for number, numbers in enumerate(found))
        return float(right / (wanted * len(found)))

    def _right(self, name: str, query: int, numbers: Sequence[int]) -> int:
        known = [number for number in set(numbers) if 0 <= number < len(self.vectors) and self.masks[name][number]]
        similarities = self.vectors[known] @ self.queries[query]
        return min(K, int((similarities >= self.worst[name][query] - ROUNDING).sum()))


def write(path: Path, corpus: Any, count: int, singles: int, churned: int, queries: int) -> Judge:
    """Fill the folder: the first `count` records are ingested, then `singles` one by one; the queries are held out
    from the end of the corpus. Returns the judge of searches in all of them; its ``churned`` is the first so many.
    """
    path.mkdir(parents=True)
    rows = count + singles
    vectors, asked = corpus.vectors[:rows], corpus.vectors[len(corpus.vectors) - queries :]
    documents, metadatas = corpus.documents[:rows], corpus.metadatas[:rows]
    wheres = filters(metadatas)
    np.save(path / "vectors.npy", vectors)
    np.save(path / "queries.npy", asked)
    (path / "texts.json").write_text(json.dumps({"documents": documents, "metadatas": metadatas}))
    chosen = words(documents)
    plan = {"count": count, "singles": singles, "churned": churned, "filters": wheres}
    plan |= {"words": chosen, "patterns": patterns(chosen)}
    plan["questions"] = corpus.documents[len(corpus.documents) - queries :]
    (path / "plan.json").write_text(json.dumps(plan))
    masks = {name: mask(metadatas, where) for name, where in wheres.items()}
    numbers = np.arange(rows)
    return Judge(vectors, asked, {EVERYTHING: numbers >= 0, "churned": numbers < churned, **masks})
