"""What a record becomes when an update or an upsert meets what is stored. Pure functions on columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from chroma_plugin.frozen import frozen
from chroma_plugin.types import Field, Matrix, Metadata, Records

_T = TypeVar("_T")


@frozen(eq=False)
class Vectors:
    """New embeddings, for some of the records of a write."""

    ids: Sequence[str]
    matrix: Matrix | None
    """One row per id; None when there are none."""

    def of(self, ids: Sequence[str]) -> Matrix:
        """Their rows, in the order of ``ids``. All of them are there."""
        assert self.matrix is not None
        if ids == self.ids:
            return self.matrix
        row_of = {id: row for row, id in enumerate(self.ids)}
        return self.matrix[np.array([row_of[id] for id in ids], dtype=np.intp)]

    def over(self, current: Records) -> Matrix:
        """The embeddings of ``current`` with the new ones in their place."""
        row_of = {id: row for row, id in enumerate(self.ids)}
        rows = [row for row, id in enumerate(current.ids) if id in row_of]
        assert current.embeddings is not None
        matrix = np.array(current.embeddings, dtype=np.float32)
        if self.matrix is not None:
            matrix[rows] = self.matrix[[row_of[current.ids[row]] for row in rows]]
        return matrix


def needed_fields(given: Records, vectors: Vectors) -> frozenset[Field]:
    """The columns of the stored records that an update has to look at."""
    fields: set[Field] = set()
    if given.metadatas is not None:
        fields.add("metadatas")
    if given.documents is not None and None in given.documents:
        fields.add("documents")
    if given.uris is not None and None in given.uris:
        fields.add("uris")
    if 0 < len(vectors.ids) < len(given):
        fields.add("embeddings")
    return frozenset(fields)


def updated(current: Records, given: Records, vectors: Vectors) -> Records:
    """The touched columns of the stored records, each value the given one or, where None was given, the stored one."""
    given = _aligned(given, current.ids)
    return Records(
        ids=current.ids,
        embeddings=_touched_embeddings(current, vectors),
        documents=None if given.documents is None else _filled(given.documents, current.documents),
        metadatas=None if given.metadatas is None else _merged(given.metadatas, current.metadatas),
        uris=None if given.uris is None else _filled(given.uris, current.uris),
    )


def upserted(current: Records, given: Records, vectors: Vectors, *, replace_metadata: bool) -> Records:
    """Whole records, for those that are stored already."""
    given = _aligned(given, current.ids)
    blank: list[None] = [None] * len(current)
    metadatas = given.metadatas or blank
    return Records(
        ids=current.ids,
        embeddings=vectors.over(current),
        documents=_filled(given.documents or blank, current.documents),
        metadatas=metadatas if replace_metadata else _merged(metadatas, current.metadatas),
        uris=_filled(given.uris or blank, current.uris),
    )


def fresh(given: Records, vectors: Vectors, *, keep_none: bool) -> Records:
    """Whole records, for those that are new. Without ``keep_none`` a None in metadata means, as in an update, no such
    key.
    """
    blank: list[None] = [None] * len(given)
    metadatas = given.metadatas or blank
    return Records(
        ids=given.ids,
        embeddings=vectors.of(given.ids),
        documents=given.documents or blank,
        metadatas=metadatas if keep_none else _merged(metadatas, None),
        uris=given.uris or blank,
    )


def merged_metadata(old: Metadata | None, new: Metadata | None) -> Metadata | None:
    """``old`` with the keys of ``new``; a key that ``new`` sets to None is gone. Nothing left is None."""
    if new is None:
        return old
    merged = {**old, **new} if old else {**new}
    if None in new.values():
        merged = {key: value for key, value in merged.items() if value is not None or key not in new}
    return merged or None


def _merged(new: Sequence[Metadata | None], old: Sequence[Metadata | None] | None) -> list[Metadata | None]:
    before = old or [None] * len(new)
    return [merged_metadata(stored, given) for stored, given in zip(before, new, strict=True)]


def _filled(new: Sequence[_T | None], old: Sequence[_T | None] | None) -> list[_T | None]:
    before = old or [None] * len(new)
    return [stored if given is None else given for stored, given in zip(before, new, strict=True)]


def _touched_embeddings(current: Records, vectors: Vectors) -> Matrix | None:
    if not vectors.ids:
        return None
    if current.embeddings is not None:
        return vectors.over(current)
    return vectors.of(current.ids)


def _aligned(given: Records, ids: Sequence[str]) -> Records:
    if ids == given.ids:
        return given
    row_of = {id: row for row, id in enumerate(given.ids)}
    return given.take([row_of[id] for id in ids])
