"""Many collections: all are planned, and refused or not, before the first record is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from chroma_plugin.copying import choices, collection
from chroma_plugin.copying.choices import OnConflict
from chroma_plugin.copying.collection import Part
from chroma_plugin.copying.report import CopyReport
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.requests.names import chosen_names
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.sessions.session import Session

Place: TypeAlias = tuple[str, str]
"""A tenant and a database of it."""
OnProgress: TypeAlias = Callable[[str, int, int], object]
"""Called with a collection's name, how many of its records are done, and how many there are."""


def copy(
    source: Session,
    target: Session,
    places: Sequence[tuple[Place, Place]] | None = None,
    *,
    names: Iterable[str] | None = None,
    on_conflict: OnConflict = "resume",
    on_progress: OnProgress | None = None,
) -> CopyReport:
    """Copy collections from one open database to another.

    ``places`` pairs databases with where they go; default: every database of every tenant that the source lists, to
    the same names, which are made. ``names`` picks collections.
    """
    choices.check(on_conflict)
    places = [(place, place) for place in _all_places(source)] if places is None else places
    if source is target and any(here == there for here, there in places):
        raise InvalidArgumentError("The source and the target of a copy are the same database.")
    chosen = list(_chosen(source, places, names))
    skipped = [opened for opened, place in chosen if on_conflict == "skip" and _is_there(opened, target, place)]
    merges = on_conflict == "merge"
    parts = [
        collection.plan(opened, target, *place, merges=merges) for opened, place in chosen if opened not in skipped
    ]
    for _, place in places:
        _make(target, place)
    done = [collection.run(part, _counted(part, on_progress)) for part in parts]
    return CopyReport(done, [opened.info.name for opened in skipped])


def _all_places(session: Session) -> list[Place]:
    backend = session.backend
    return [(tenant, database) for tenant in backend.list_tenants() for database in backend.list_databases(tenant)]


def _chosen(
    source: Session, places: Sequence[tuple[Place, Place]], names: Iterable[str] | None
) -> Iterator[tuple[OpenCollection, Place]]:
    found = [(opened, there) for here, there in places for opened in source.collections(*here)]
    known = {opened.info.name for opened, _ in found}
    wanted = known if names is None else chosen_names(names, known)
    return (pair for pair in found if pair[0].info.name in wanted)


def _is_there(opened: OpenCollection, target: Session, place: Place) -> bool:
    return target.has(*place) and target.find(opened.info.name, *place) is not None


def _make(target: Session, place: Place) -> None:
    """The tenant and the database, unless they are there."""
    tenant, database = place
    if not target.backend.has_tenant(tenant):
        target.backend.create_tenant(tenant)
    # Some engines make a tenant with a first database in it.
    if not target.backend.has_database(tenant, database):
        target.backend.create_database(tenant, database)


def _counted(part: Part, on_progress: OnProgress | None) -> Callable[[int], object]:
    if on_progress is None:
        return lambda _: None
    with part.source.reading() as store:
        count = store.count()
    return lambda done: on_progress(part.source.info.name, min(done, count), count)
