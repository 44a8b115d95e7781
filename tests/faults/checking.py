"""Whether a directory holds what it has to: one of the worlds that are allowed, the same through every door."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from faults import model
from faults.model import Kept, Record, World
from faults.nursery import say
from faults.workload import DIMENSION, SPACES, operations, prepare

import chroma_plugin
from chroma_plugin.api.client import Client
from chroma_plugin.api.collection import Collection

_INCLUDED = ("embeddings", "documents", "metadatas")
_ASKED = 5


class Wrong(AssertionError):
    """The store is not what it has to be."""


def check(directory: str, seed: int, length: int, allowed: Sequence[int]) -> None:
    """Open a directory that must hold the world after as many operations as one of the ``allowed`` numbers says; look
    through every door, write to it, close it and look again.
    """
    prepare(seed)
    made = operations(seed, length)
    worlds = {number: model.world(made[:number]) for number in allowed}
    with chroma_plugin.PersistentClient(Path(directory)) as client:
        number = which(client, worlds)
        world = worlds[number]
        examine(client, world)
        _write_on(client, world)
        examine(client, world)
    for _ in range(2):
        with chroma_plugin.PersistentClient(Path(directory)) as client:
            which(client, {number: world})
            examine(client, world)
    _nothing_left_behind(Path(directory))
    say(f"right {number}")


def look(directory: str, seed: int, length: int, begun: int, done: int, plant: str | None = None) -> None:
    """Open for reading what another process has open, and is in the middle of changing: it shows what was acknowledged,
    with or without the operation that is under way; through every door, and again when it is asked for what is new.
    """
    prepare(seed, plant)
    made = operations(seed, length)
    worlds = {number: model.world(made[:number]) for number in {begun, done}}
    if not (Path(directory) / "chroma.duckdb").exists():
        _must(not begun, "the store is gone")
        return
    with chroma_plugin.PersistentClient(Path(directory), read_only=True) as client:
        number = which(client, worlds)
        examine(client, worlds[number])
        _must(not client.refresh(), "something is new while nobody writes")
        which(client, {number: worlds[number]})
    say(f"right {number}")


_FILES = {"chroma.duckdb", "chroma.duckdb.wal", "chroma.duckdb.receipt", "snapshot.json"}
_KEPT = "chroma.duckdb.wal.unfinished-"
"""A log as it was, of which the end was taken off."""
_KINDS = {".vectors", ".header", ".stamps", ".texts", ".rows", ".sketch", ".graph"}


def _nothing_left_behind(directory: Path) -> None:
    """Files that nobody will ever use."""
    files = [path.relative_to(directory) for path in directory.rglob("*") if path.is_file()]
    left = [str(path) for path in files if path.name not in _FILES and path.suffix not in _KINDS]
    left = [name for name in left if not name.startswith(_KEPT)]
    _must(not left, f"{left} are left behind")
    numbers = {(path.parent, path.stem) for path in files if path.parts[0] == "vectors"}
    _must(len(numbers) == len({parent for parent, _ in numbers}), f"more than one file of vectors: {numbers}")


def shown(client: Client) -> World:
    """All that the store says it holds."""
    return {
        name: Kept(dict(collection.metadata or {}), contents(collection))
        for collection in client.list_collections()
        for name in [collection.name]
    }


def contents(collection: Collection) -> dict[str, Record]:
    """All records as `get` gives them."""
    got = collection.get(include=_INCLUDED)
    columns = (got["ids"], got["embeddings"], got["documents"], got["metadatas"])
    return {
        id: (np.asarray(embedding, dtype=np.float32).tobytes(), document, metadata)
        for id, embedding, document, metadata in zip(*columns, strict=True)
    }


def which(client: Client, worlds: dict[int, World]) -> int:
    """The number of the world that is shown. Raises Wrong with the differences when it is none of them."""
    found = shown(client)
    for number, world in worlds.items():
        if found == world and all(list(found[name].records) == list(world[name].records) for name in found):
            return number
    told = [f"{number}: {'; '.join(_differences(found, world))}" for number, world in worlds.items()]
    raise Wrong("the store shows none of the worlds that are allowed\n" + "\n".join(told))


def _differences(found: World, world: World) -> list[str]:
    told = [f"collections {sorted(found)} for {sorted(world)}"] if found.keys() != world.keys() else []
    for name in found.keys() & world.keys():
        one, other = found[name], world[name]
        missing, more = other.records.keys() - one.records.keys(), one.records.keys() - other.records.keys()
        changed = [id for id in one.records.keys() & other.records.keys() if one.records[id] != other.records[id]]
        if one.metadata != other.metadata:
            told.append(f"{name}: metadata {one.metadata} for {other.metadata}")
        if missing or more or changed:
            told.append(f"{name}: missing {sorted(missing)}, too many {sorted(more)}, changed {changed}")
        elif list(one.records) != list(other.records):
            told.append(f"{name}: another order")
    return told or ["nothing differs"]


def examine(client: Client, world: World) -> None:
    """Counts, filters, searches and texts agree with what there is."""
    for name, kept in world.items():
        collection = client.get_collection(name, embedding_function=None)
        try:
            _counts(collection, kept)
            if kept.records:
                _searches(collection, kept)
                _texts(collection, kept)
        except Wrong as wrong:
            raise Wrong(f"{name}: {wrong}") from wrong


def _must(holds: bool, told: str) -> None:
    if not holds:
        raise Wrong(told)


def _counts(collection: Collection, kept: Kept) -> None:
    _must(collection.count() == len(kept.records), f"count() is {collection.count()} for {len(kept.records)}")
    for number in range(7):
        expected = [id for id, (_, _, data) in kept.records.items() if data is not None and data["seventh"] == number]
        found = collection.get(where={"seventh": number}, include=[])["ids"]
        _must(found == expected, f"where seventh = {number} finds {found} for {expected}")


def _searches(collection: Collection, kept: Kept) -> None:
    """Each record is found by its own vector, and the nearest of others are those of brute force."""
    ids, matrix = list(kept.records), _matrix(kept)
    if SPACES[collection.name] != "ip":
        for exact in (False, True):
            nearest = collection.query(query_embeddings=matrix, n_results=1, exact=exact, include=[])["ids"]
            lost = [id for id, [found] in zip(ids, nearest, strict=True) if found != id]
            _must(not lost, f"exact={exact}: {lost} are not found by their own vectors")
    questions = np.random.default_rng(0).standard_normal((4, DIMENSION)).astype(np.float32)
    found = collection.query(query_embeddings=questions, n_results=_ASKED, exact=True, include=[])["ids"]
    for row, question in zip(found, questions, strict=True):
        order = np.argsort(_distances(collection.name, question, matrix), kind="stable")[:_ASKED]
        expected = [ids[at] for at in order]
        _must(row == expected, f"the nearest are {row} for {expected}")


def _matrix(kept: Kept) -> np.ndarray:
    return np.frombuffer(b"".join(record[0] for record in kept.records.values()), np.float32).reshape(-1, DIMENSION)


def _distances(name: str, question: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    one, all_of_them = question.astype(np.float64), matrix.astype(np.float64)
    match SPACES[name]:
        case "l2":
            return ((all_of_them - one) ** 2).sum(axis=1)
        case "cosine":
            return -(all_of_them @ one) / np.linalg.norm(all_of_them, axis=1)
        case _:
            return -(all_of_them @ one)


def _texts(collection: Collection, kept: Kept) -> None:
    """Each document is found by the word that only it has, and no other."""
    words = {id: document.split(" ")[0] for id, (_, document, _) in kept.records.items() if document is not None}
    some = dict(list(words.items())[:3] + list(words.items())[-3:])
    found = collection.search_text(list(some.values()), n_results=2, include=[])["ids"]
    _must(found == [[id] for id in some], f"search_text finds {found} for {list(some)}")
    expected = list(words)
    held = collection.get(where_document={"$contains": "common"}, include=[])["ids"]
    _must(held == expected, f"$contains finds {held} for {expected}")


def _write_on(client: Client, world: World) -> None:
    """It takes writes as before; the world, too."""
    if not world:
        client.create_collection("first", metadata={"late": 1}, embedding_function=None)
        world["first"] = Kept({"late": 1})
    name, kept = next(iter(world.items()))
    collection = client.get_collection(name, embedding_function=None)
    if kept.records:
        gone = next(iter(kept.records))
        collection.delete(ids=[gone])
        del kept.records[gone]
    vector = np.random.default_rng(1).standard_normal(DIMENSION).astype(np.float32)
    document, data = "wordlate common", {"number": -1, "seventh": 3, "text": ""}
    collection.add(ids=["late"], embeddings=[vector], documents=[document], metadatas=[data])
    kept.records["late"] = (vector.tobytes(), document, data)
