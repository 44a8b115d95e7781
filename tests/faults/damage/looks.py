"""A look at everything in a store, compared with the truth."""

from __future__ import annotations

import re
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from chroma_plugin_duckdb.guard import UnfinishedWriteWarning
from faults.damage.stores import Truth

import chroma_plugin as chromadb
from chroma_plugin.errors import StorageError


class Outcome(StrEnum):
    """What became of a store, from good to bad."""

    RIGHT = "right"
    TOLD = "told"
    """Some of it is an error, the rest is right; the error names the file and says what to do."""
    VAGUE = "vague"
    """An error that does not, or is none of ours."""
    FORGOT = "forgot"
    """Records or collections are missing, and nothing says so."""
    WRONG = "wrong"
    CRASH = "crash"
    HANG = "hang"


GOOD = (Outcome.RIGHT, Outcome.TOLD)
_FILE = re.compile(r"chroma\.duckdb|\.(vectors|stamps|header|rows|texts|graph|sketch)\b|snapshot\.json")
_WAY_OUT = re.compile(r"doctor --repair|delete (this file|/)|without read_only")

Seen = tuple[Outcome, str]


def look(place: Path, truth: Truth) -> Seen:
    """The worst that is seen."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        seen = [*_looks(place, truth)]
    if any(issubclass(warning.category, UnfinishedWriteWarning) for warning in caught):
        seen.append((Outcome.TOLD, str(caught[0].message)))
    order = list(Outcome)
    return max(seen, key=lambda each: order.index(each[0]))


def _looks(place: Path, truth: Truth) -> list[Seen]:
    try:
        client = chromadb.PersistentClient(place)
    except Exception as error:
        return [_refused(error)]
    try:
        names = {collection.name for collection in client.list_collections()}
        if names != set(truth):
            return [(Outcome.FORGOT if names < set(truth) else Outcome.WRONG, f"collections {sorted(names)}")]
        return [seen for name in truth for seen in _looks_at(client, name, truth[name])]
    except Exception as error:
        return [_refused(error)]
    finally:
        try:
            client.close()
        except Exception as error:
            return [(Outcome.VAGUE, f"close: {error!r}")]


def _looks_at(client: Any, name: str, truth: dict[str, list[Any]]) -> list[Seen]:
    try:
        collection = client.get_collection(name, embedding_function=None)
    except Exception as error:
        return [_refused(error)]
    seen = []
    for check in (_counted, _got, _found, _found_by_text) if truth else (_counted,):
        try:
            wrong = check(collection, truth)
            seen.append((Outcome.RIGHT, "") if not wrong else (_how(wrong), f"{check.__name__} {name}: {wrong}"))
        except Exception as error:
            seen.append(_refused(error))
    return seen


def _how(wrong: str) -> Outcome:
    return Outcome.FORGOT if wrong.startswith("missing") else Outcome.WRONG


def _refused(error: Exception) -> Seen:
    """An error is good if it is ours and helps."""
    text = str(error)
    good = isinstance(error, StorageError) and _FILE.search(text) and _WAY_OUT.search(text)
    return (Outcome.TOLD if good else Outcome.VAGUE), f"{type(error).__name__}: {text}"


def _counted(collection: Any, truth: dict[str, list[Any]]) -> str:
    count = collection.count()
    return "" if count == len(truth) else f"{'missing' if count < len(truth) else 'count'} {count} of {len(truth)}"


def _got(collection: Any, truth: dict[str, list[Any]]) -> str:
    got = collection.get(include=["embeddings", "documents", "metadatas"])
    if set(got["ids"]) != set(truth):
        return f"{'missing ' if set(got['ids']) < set(truth) else ''}ids {len(got['ids'])} of {len(truth)}"
    for id, vector, document, metadata in zip(
        got["ids"], got["embeddings"], got["documents"], got["metadatas"], strict=True
    ):
        if [vector.tolist(), document, metadata] != truth[id]:
            return f"{id} is {document!r}, {metadata}"
    some = list(truth)[::50]
    by_id = collection.get(ids=some, include=["documents"])["documents"]
    return "" if by_id == [truth[id][1] for id in some] else "documents by id"


def _found(collection: Any, truth: dict[str, list[Any]]) -> str:
    ids = list(truth)
    matrix = np.array([truth[id][0] for id in ids])
    for asked in range(0, len(ids), 1 + len(ids) // 4):
        distances = ((matrix - matrix[asked]) ** 2).sum(axis=1)
        nearest = [ids[row] for row in np.argsort(distances)[:3]]
        query = {"query_embeddings": matrix[asked : asked + 1], "n_results": 3}
        for options in ({"exact": True}, {}):
            found = collection.query(**query, **options)
            if options and found["ids"][0] != nearest:
                return f"nearest {found['ids'][0]}, not {nearest}"
            if found["ids"][0][0] != ids[asked]:
                return f"nearest to {ids[asked]}: {found['ids'][0]}"
            expected = [distances[ids.index(id)] for id in found["ids"][0]]
            if not np.allclose(found["distances"][0], expected, rtol=1e-4, atol=1e-4):
                return f"distances {found['distances'][0]}, not {expected}"
        even = collection.query(**query, where={"even": True})
        if not all(truth[id][2]["even"] for id in even["ids"][0]):
            return f"filter {even['ids'][0]}"
    return ""


def _found_by_text(collection: Any, truth: dict[str, list[Any]]) -> str:
    expected = {id for id in truth if "word3 " in truth[id][1]}
    got = set(collection.get(where_document={"$contains": "word3 "})["ids"])
    found = collection.search_text("word3", n_results=len(truth))["ids"][0]
    return "" if got == set(found) == expected else f"texts {len(got)}, {len(found)}, not {len(expected)}"
