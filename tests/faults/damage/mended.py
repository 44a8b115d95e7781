"""A look at a store after its repair, compared with the truth and with what the repair tells."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

from chroma_plugin_duckdb.guard import UnfinishedWriteWarning
from chroma_plugin_duckdb.options import DuckDBOptions
from chroma_plugin_duckdb.repair import DuckDBRepairer
from faults.damage.looks import Outcome, Seen, look
from faults.damage.stores import Truth

import chroma_plugin as chromadb
from chroma_plugin.repairing import Repair

_UNNAMED = re.compile(
    "could not be used|bytes that were acknowledged|left out|older state|another file|last clean end|head of|No record"
)


def mended(place: Path, truth: Truth) -> Seen:
    """RIGHT: all is there. TOLD: it opens, all in it is right, and what is not there was told."""
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and "index" not in path.parts}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnfinishedWriteWarning)
            done = DuckDBRepairer(DuckDBOptions(place)).repair()
    except chromadb.errors.StorageError as error:
        kept = {path: path.read_bytes() for path in before if path.is_file()} == before
        return (Outcome.TOLD if kept else Outcome.WRONG), f"{error}"
    if done.originals is None:
        return look(place, truth)
    for path, data in before.items():
        if (done.originals / path.relative_to(place)).read_bytes() != data:
            return Outcome.WRONG, f"{path} is not kept as it was"
    return _compared(place, truth, done)


def _compared(place: Path, truth: Truth, done: Repair) -> Seen:
    there, wrong = _read(place), []
    told = {each.name: each for each in done.collections}
    # What was in a lost log, or in a file that can't be read, is not named one by one; a note says so.
    cut = bool(_UNNAMED.search(" ".join([*done.notes, *done.faults])))
    for name, records in truth.items():
        known_as = name if name in there else _renamed(there, records)
        found = there.pop(known_as, {})
        each = told.get(known_as)
        missing = set(records) - set(found)
        lost = set(each.lost) if each is not None else set()
        if each is not None and each.kept != len(found):
            wrong.append(f"{name}: {each.kept} told, {len(found)} there")
        if not cut and len(missing) > len(lost & missing) + (each.lost_unknown if each is not None else 0):
            wrong.append(f"{name}: {len(missing)} missing, {len(lost)} told")
        parts = set(each.incomplete) if each is not None else set()
        changed = [id for id in found if id in records and id not in parts and found[id] != records[id]]
        if not cut and (changed or set(found) - set(records)):
            wrong.append(f"{name}: {changed[:3]} changed, {list(set(found) - set(records))[:3]} new")
    if wrong:
        return Outcome.WRONG, f"{wrong} {done.notes}"
    if done.complete and (cut or there):
        return Outcome.WRONG, f"told to be complete: {done.faults}"
    return (Outcome.RIGHT, "") if done.complete else look_again(place, there, done)


def _renamed(there: Truth, records: dict[str, list[Any]]) -> str:
    """What a collection is called whose name is lost."""
    return next((name for name, found in there.items() if name.startswith("recovered-") and found.keys() & records), "")


def look_again(place: Path, unknown: Truth, done: Repair) -> Seen:
    """It opens a second time as it did; collections whose name is lost were told."""
    if any(not name.startswith("recovered-") for name in unknown):
        return Outcome.WRONG, f"{sorted(unknown)} were not there before"
    seen = look(place, _read(place))
    return (Outcome.TOLD, json.dumps(done.notes)) if seen[0] is Outcome.RIGHT else seen


def _read(place: Path) -> Truth:
    truth: dict[str, dict[str, list[Any]]] = {}
    with chromadb.PersistentClient(place) as client:
        for collection in client.list_collections():
            got = client.get_collection(collection.name, embedding_function=None).get(
                include=["embeddings", "documents", "metadatas"]
            )
            rows = zip(got["embeddings"], got["documents"], got["metadatas"], strict=True)
            records = ([vector.tolist(), document, metadata] for vector, document, metadata in rows)
            truth[collection.name] = dict(zip(got["ids"], records, strict=True))
    return truth
