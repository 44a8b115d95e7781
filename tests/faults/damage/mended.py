"""A look at a store after its repair, compared with the truth and with what the repair tells."""

from __future__ import annotations

import json
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
    # Writes at the end of a lost log leave an older state; that is told in a note.
    cut = any("could not be used" in note or "acknowledged" in note or "left out" in note for note in done.notes)
    cut = cut or any("older state" in note or "last clean end" in note or "head of" in note for note in done.notes)
    for name, records in truth.items():
        found = there.pop(name, {})
        each = told.get(name)
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
    whole = not cut and all(each.whole for each in done.collections) and not there
    return (Outcome.RIGHT, "") if whole else look_again(place, there, done)


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
