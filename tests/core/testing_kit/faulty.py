"""Planted faults: right backends with one thing wrong each, and the test of the kit that must notice it.

pytest collects this file only when `test_planted_faults.py` names it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from plain import PlainBackend, PlainStore, Row

from chroma_plugin import distances
from chroma_plugin.backend import Backend, Change, Pushdown
from chroma_plugin.filters import Compare, Contains, Expr, Not, Op, compile_filter, keep, leaves
from chroma_plugin.ranking import words_of
from chroma_plugin.testing import BackendConformance
from chroma_plugin.types import (
    FIELDS,
    NO_FIELDS,
    CollectionInfo,
    Hits,
    Ranked,
    Records,
    Scan,
    Search,
    TextSearch,
    concatenate,
)


class Kit(BackendConformance):
    """The kit on a backend of plain dicts."""

    __test__ = False
    database: ClassVar[type[PlainBackend]] = PlainBackend
    store_class: ClassVar[type[PlainStore]] = PlainStore
    caught_by: ClassVar[tuple[str, ...]] = ()

    def open_backend(self, place: Path) -> Backend:
        opened = self.database()
        opened.store = self.store_class
        return opened


class TestRight(Kit):
    """Nothing is wrong here."""

    __test__ = True


def faulty(
    *caught_by: str, store: type[PlainStore] = PlainStore, database: type[PlainBackend] = PlainBackend
) -> type[Kit]:
    """The kit on a backend with a fault, and the tests that must fail on it."""
    name = f"Test{(store if store is not PlainStore else database).__name__}"
    body = {
        "__test__": True,
        "__module__": __name__,
        "caught_by": caught_by,
        "store_class": store,
        "database": database,
    }
    return type(name, (Kit,), body)


# -- writing ---------------------------------------------------------------------------------------


class DropsTheLastRow(PlainStore):
    def put(self, records: Records) -> None:
        super().put(records.take(range(len(records) - 1)) if len(records) > 1 else records)


class MovesReplacedToTheEnd(PlainStore):
    def put(self, records: Records) -> None:
        for id in records.ids:
            self.rows.pop(id, None)
        super().put(records)


class KeepsHalfABatch(PlainStore):
    def put(self, records: Records) -> None:
        for row in range(len(records)):
            super().put(records.take([row]))


class WritesInTwoSteps(PlainStore):
    """Readers see half of a batch."""

    def put(self, records: Records) -> None:
        rows = list(self.parse(records).items())
        self.rows.update(rows[:5])
        time.sleep(0.005)
        self.rows.update(rows[5:])


class KeepsTheCallersArray(PlainStore):
    def parse(self, records: Records) -> dict[str, Row]:
        rows = super().parse(records)
        return {
            id: replace(rows[id], embedding=given) for id, given in zip(records.ids, records.embeddings, strict=True)
        }


class GivesOutWhatItHolds(PlainStore):
    def shape(self, ids: Sequence[str], rows: dict[str, Row]) -> Records:
        return replace(super().shape(ids, rows), metadatas=[rows[id].metadata for id in ids])


class ForgetsUris(PlainStore):
    def put(self, records: Records) -> None:
        super().put(replace(records, uris=None))


class MergesMetadata(PlainStore):
    def put(self, records: Records) -> None:
        known = {id: self.rows[id].metadata or {} for id in records.ids if id in self.rows}
        super().put(records)
        for id, old in known.items():
            self.rows[id] = replace(self.rows[id], metadata={**old, **(self.rows[id].metadata or {})})


class InsertReplaces(PlainStore):
    def insert(self, records: Records) -> Sequence[str]:
        known = [id for id in records.ids if id in self.rows]
        self.put(records)
        return known


class UpdateLosesColumns(PlainStore):
    def update(self, records: Records) -> None:
        nothing = [None] * len(records)
        embeddings = concatenate(list(self.scan(Scan(ids=records.ids)))).embeddings
        given = replace(records, embeddings=embeddings if records.embeddings is None else records.embeddings)
        self.put(replace(given, documents=records.documents or nothing, metadatas=records.metadatas or nothing))


class DeleteCountsWhatWasAsked(PlainStore):
    def delete(self, ids: Sequence[str]) -> int:
        super().delete(ids)
        return len(ids)


# -- values ----------------------------------------------------------------------------------------


class ChangesMetadata(PlainStore):
    """What comes back is not what was written."""

    def parse(self, records: Records) -> dict[str, Row]:
        rows = super().parse(records)
        return {
            id: replace(row, metadata=row.metadata and {k: self.change(v) for k, v in row.metadata.items()})
            for id, row in rows.items()
        }

    def change(self, value: Any) -> Any:
        return value


class TrueBecomesOne(ChangesMetadata):
    def change(self, value: Any) -> Any:
        return int(value) if isinstance(value, bool) else value


class RoundsFloats(ChangesMetadata):
    def change(self, value: Any) -> Any:
        return float(f"{value:.15g}") if isinstance(value, float) else value


class IntegersThroughFloats(ChangesMetadata):
    def change(self, value: Any) -> Any:
        return int(float(value)) if type(value) is int else value


class WholeFloatsBecomeIntegers(ChangesMetadata):
    def change(self, value: Any) -> Any:
        return int(value) if isinstance(value, float) and value.is_integer() else value


class DropsNone(ChangesMetadata):
    def change(self, value: Any) -> Any:
        return "" if value is None else value


class HalfPrecision(PlainStore):
    def parse(self, records: Records) -> dict[str, Row]:
        with np.errstate(over="ignore"):
            return super().parse(replace(records, embeddings=records.embeddings.astype(np.float16).astype(np.float32)))


class NormalisesUnderCosine(PlainStore):
    """An index that scales embeddings, and nothing that keeps them as they were."""

    def parse(self, records: Records) -> dict[str, Row]:
        lengths = np.linalg.norm(records.embeddings.astype(np.float64), axis=1, keepdims=True)
        return super().parse(
            replace(records, embeddings=(records.embeddings / np.where(lengths == 0, 1, lengths)).astype(np.float32))
        )


class StripsDocuments(PlainStore):
    def parse(self, records: Records) -> dict[str, Row]:
        return super().parse(replace(records, documents=[text and text.strip() for text in records.documents]))


class CutsAtNul(PlainStore):
    def parse(self, records: Records) -> dict[str, Row]:
        return super().parse(replace(records, documents=[text and text.split("\x00")[0] for text in records.documents]))


# -- reading ---------------------------------------------------------------------------------------


class IgnoresOffset(PlainStore):
    def scan(self, request: Scan) -> Iterator[Records]:
        return super().scan(replace(request, offset=0))


class CutsBeforeItFilters(PlainStore):
    def scan(self, request: Scan) -> Iterator[Records]:
        ids = [id for batch in super().scan(replace(request, where=None)) for id in batch.ids]
        return super().scan(replace(request, ids=ids, limit=None, offset=0))


class IgnoresTheOrderOfIds(PlainStore):
    def scan(self, request: Scan) -> Iterator[Records]:
        ids = None if request.ids is None else [id for id in self.rows if id in set(request.ids)]
        return super().scan(replace(request, ids=ids))


class NoIdsMeansAll(PlainStore):
    def scan(self, request: Scan) -> Iterator[Records]:
        return super().scan(replace(request, ids=request.ids or None))


class CountIgnoresTheFilter(PlainStore):
    def count(self, where: Expr | None = None) -> int:
        return len(self.rows)


class ReadsWhileItIsWritten(PlainStore):
    def scan(self, request: Scan) -> Iterator[Records]:
        if request.ids is not None or request.where is not None or request.limit is not None:
            yield from super().scan(request)
        else:
            for id in self.rows:
                yield self.shape([id], self.rows)


# -- filters ---------------------------------------------------------------------------------------


class Misunderstands(PlainStore):
    """`takes` says EXACT, and `wrong` changes what one record gives."""

    def matching(self, where: Expr, found: Records) -> list[int]:
        rows = zip(found.ids, found.metadatas, found.documents, strict=True)
        return [row for row, values in enumerate(rows) if self.wrong(where, *values)]

    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        return compile_filter(where)(id, metadata, document)


class MissingIsNotUnequal(Misunderstands):
    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        if (
            isinstance(where, Compare)
            and where.op is Op.NE
            and where.path.parts
            and where.path.parts[0] not in (metadata or {})
        ):
            return False
        return super().wrong(where, id, metadata, document)


class NotSkipsMissing(Misunderstands):
    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        if isinstance(where, Not) and any(
            leaf.path.parts[:1] and leaf.path.parts[0] not in (metadata or {}) for leaf in leaves(where)
        ):
            return False
        return super().wrong(where, id, metadata, document)


class OneIsTrue(Misunderstands):
    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        if isinstance(where, Compare) and where.op is Op.EQ and len(where.path.parts) == 1 and where.value is not None:
            return bool((metadata or {}).get(where.path.parts[0], ...) == where.value)
        return super().wrong(where, id, metadata, document)


class ComparesThroughFloats(Misunderstands):
    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        if isinstance(where, Compare) and type(where.value) is int:
            where = replace(where, value=float(where.value))
            metadata = {key: float(value) if type(value) is int else value for key, value in (metadata or {}).items()}
        return super().wrong(where, id, metadata, document)


class TextIgnoresCase(Misunderstands):
    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        if isinstance(where, Contains) and isinstance(where.value, str):
            where, document = replace(where, value=where.value.lower()), document and document.lower()
        return super().wrong(where, id, metadata, document)


class DotsArePaths(Misunderstands):
    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        if isinstance(where, Compare) and "." in (where.path.parts or ("",))[0]:
            where = replace(where, path=replace(where.path, parts=tuple(where.path.parts[0].split("."))))
        return super().wrong(where, id, metadata, document)


class InexactLosesMatches(Misunderstands):
    def takes(self, part: Expr) -> Pushdown:
        return Pushdown.INEXACT

    def wrong(self, where: Expr, id: str, metadata: Any, document: str | None) -> bool:
        return metadata is not None and super().wrong(where, id, metadata, document)


# -- searching -------------------------------------------------------------------------------------


class FiltersTheNearest(PlainStore):
    """The k nearest first, then the filter: fewer than k while k match."""

    def search(self, request: Search) -> list[Hits]:
        found = super().search(replace(request, where=None, fields=frozenset(("metadatas", "documents"))))
        rows = [
            range(len(hits.records)) if request.where is None else keep(request.where, hits.records) for hits in found
        ]
        return [
            Hits(hits.records.take(kept), hits.distances[list(kept)]) for hits, kept in zip(found, rows, strict=True)
        ]


class TiesByName(PlainStore):
    def search(self, request: Search) -> list[Hits]:
        answers = super().search(replace(request, k=len(self.rows)))
        return [self.sorted(hits, request.k) for hits in answers]

    def sorted(self, hits: Hits, k: int) -> Hits:
        order = sorted(range(len(hits.records)), key=lambda row: (hits.distances[row], hits.records.ids[row]))[:k]
        return Hits(hits.records.take(order), hits.distances[order])


class FarthestFirst(PlainStore):
    def search(self, request: Search) -> list[Hits]:
        return [
            Hits(hits.records.take(range(len(hits.records))[::-1]), hits.distances[::-1])
            for hits in super().search(request)
        ]


class RootOfL2(PlainStore):
    def search(self, request: Search) -> list[Hits]:
        return [Hits(hits.records, np.sqrt(np.abs(hits.distances))) for hits in super().search(request)]


class ZeroVectorsAreNan(PlainStore):
    def search(self, request: Search) -> list[Hits]:
        zero = not distances.squares(request.embeddings).all()
        return [Hits(hits.records, hits.distances * (np.nan if zero else 1)) for hits in super().search(request)]


class FindsTheDeleted(PlainStore):
    """An index of its own that never hears of deletes."""

    def __init__(self, rows: dict[str, Row]) -> None:
        super().__init__(rows)
        self.index: dict[str, Row] = {}

    def search(self, request: Search) -> list[Hits]:
        self.index.update(self.rows)
        return PlainStore.search(PlainStore(self.index), request)

    def put(self, records: Records) -> None:
        super().put(records)
        self.index.update(self.rows)


class IgnoresMaxDistance(PlainStore):
    def search(self, request: Search) -> list[Hits]:
        return super().search(replace(request, max_distance=None))


class SearchIgnoresIds(PlainStore):
    def search(self, request: Search) -> list[Hits]:
        return super().search(replace(request, ids=None))


class CountsWhatIsLeft(PlainStore):
    """The numbers of the formula are those of the records that ids and filters leave."""

    def search_text(self, request: TextSearch) -> list[Ranked]:
        [left] = self.scan(Scan(ids=request.ids, where=request.where, fields=NO_FIELDS))
        rows = {id: self.rows[id] for id in self.rows if id in left.ids}
        return PlainStore(rows).search_text(replace(request, ids=None, where=None))


class CountsRecordsWithoutDocument(PlainStore):
    def search_text(self, request: TextSearch) -> list[Ranked]:
        rows = {id: replace(row, document=row.document or "") for id, row in self.rows.items()}
        return PlainStore(rows).search_text(request)


class TextIgnoresIds(PlainStore):
    def search_text(self, request: TextSearch) -> list[Ranked]:
        return super().search_text(replace(request, ids=None))


class CutsTextsBeforeItFilters(PlainStore):
    def search_text(self, request: TextSearch) -> list[Ranked]:
        found = super().search_text(replace(request, where=None, fields=FIELDS))
        return [self.left(ranked, request) for ranked in found]

    def left(self, ranked: Ranked, request: TextSearch) -> Ranked:
        rows = range(len(ranked.records)) if request.where is None else keep(request.where, ranked.records)
        return Ranked(ranked.records.take(rows).only(request.fields), ranked.scores[list(rows)])


class TextTiesByName(PlainStore):
    def search_text(self, request: TextSearch) -> list[Ranked]:
        rows = dict(sorted(self.rows.items()))
        return PlainStore(rows).search_text(request)


class WorstTextsFirst(PlainStore):
    def search_text(self, request: TextSearch) -> list[Ranked]:
        return [
            Ranked(ranked.records.take(range(len(ranked.records))[::-1]), ranked.scores[::-1])
            for ranked in super().search_text(request)
        ]


class TextCaseMatters(PlainStore):
    """Capitals make another word."""

    def search_text(self, request: TextSearch) -> list[Ranked]:
        rows = {id: replace(row, document=self.marked(row.document)) for id, row in self.rows.items()}
        queries = [self.marked(query) or "" for query in request.queries]
        return PlainStore(rows).search_text(replace(request, queries=queries))

    def marked(self, text: str | None) -> str | None:
        return None if text is None else "".join(f"{char}_" if char.isupper() else char for char in text)


class EachWordOnce(PlainStore):
    """A word that stands twice in a query weighs as one."""

    def search_text(self, request: TextSearch) -> list[Ranked]:
        queries = [" ".join(dict.fromkeys(words_of(query))) for query in request.queries]
        return super().search_text(replace(request, queries=queries))


class TextsOfYesterday(PlainStore):
    """An index of its own that hears only of new ids."""

    def __init__(self, rows: dict[str, Row]) -> None:
        super().__init__(rows)
        self.index: dict[str, Row] = {}

    def search_text(self, request: TextSearch) -> list[Ranked]:
        self.index = {**self.rows, **{id: row for id, row in self.index.items() if id in self.rows}}
        return PlainStore(self.index).search_text(request)


class MissesOneInTen(PlainStore):
    """Approximate, and does not say so."""

    def search(self, request: Search) -> list[Hits]:
        seen = PlainStore(
            {id: row for place, (id, row) in enumerate(self.rows.items()) if place % 10 or len(self.rows) < 1000}
        )
        return seen.search(request)


# -- collections -----------------------------------------------------------------------------------


class CreateReplaces(PlainBackend):
    def create_collection(self, info: CollectionInfo) -> None:
        for other in self.list_collections(info.tenant, info.database):
            if other.name == info.name:
                self.drop_collection(other)
        super().create_collection(info)


class RenameReplaces(PlainBackend):
    def update_collection(self, info: CollectionInfo) -> None:
        self.refuse_unknown(info)
        for other in self.list_collections(info.tenant, info.database):
            if other.name == info.name and other.id != info.id:
                self.drop_collection(other)
        super().update_collection(info)


class DropLeavesRecords(PlainBackend):
    def drop_collection(self, info: CollectionInfo) -> None:
        rows = self.rows.get(info.id)
        super().drop_collection(info)
        self.left = {**getattr(self, "left", {}), info.id: rows}

    def create_collection(self, info: CollectionInfo) -> None:
        super().create_collection(info)
        self.rows[info.id] = getattr(self, "left", {}).get(info.id, {})


class ListsByName(PlainBackend):
    def list_collections(self, tenant: str, database: str) -> Sequence[CollectionInfo]:
        return sorted(super().list_collections(tenant, database), key=lambda info: info.name)


class NamesIgnoreCase(PlainBackend):
    def refuse_taken(self, info: CollectionInfo) -> None:
        super().refuse_taken(replace(info, name=info.name.lower()))


class KeysAreUnknown(PlainBackend):
    """A wrong kind of error for a collection that is gone."""

    def refuse_unknown(self, info: CollectionInfo) -> None:
        if info.id not in self.infos:
            raise KeyError(info.id)


class LosesConfiguration(PlainBackend):
    def create_collection(self, info: CollectionInfo) -> None:
        super().create_collection(replace(info, configuration={"hnsw": info.configuration["hnsw"]}))


class NotDurable(PlainBackend):
    """It says it is persistent, and keeps nothing."""

    persistent = True


class SharedByAll(PlainBackend):
    """It says it is not persistent, and every opening sees the same collections."""

    infos: ClassVar[dict[Any, CollectionInfo]] = {}
    rows: ClassVar[dict[Any, dict[str, Row]]] = {}

    def __init__(self) -> None:
        """No dicts of its own."""


class ChecksNothing(PlainBackend):
    """A transaction that doesn't ask again what it has read."""

    def commit(self, changes: Sequence[Change]) -> None:
        super().commit([replace(change, check=lambda store: None) for change in changes])


class CommitsInSteps(PlainBackend):
    """One collection after the other: what fails at the second leaves the first changed."""

    def commit(self, changes: Sequence[Change]) -> None:
        for change in changes:
            super().commit([change])


FAULTS: tuple[type[Kit], ...] = (
    faulty("test_records_come_back_as_written", "test_random_calls", store=DropsTheLastRow),
    faulty("test_put_replaces_whole_records_in_place", store=MovesReplacedToTheEnd),
    faulty("test_a_put_that_fails_leaves_nothing", store=KeepsHalfABatch),
    faulty("test_records_come_back_as_written", store=ForgetsUris),
    faulty("test_put_replaces_whole_records_in_place", store=MergesMetadata),
    faulty("test_insert_leaves_known_records_alone", store=InsertReplaces),
    faulty("test_update_changes_one_column", store=UpdateLosesColumns),
    faulty("test_delete_counts_what_existed", store=DeleteCountsWhatWasAsked),
    faulty("test_metadata_values_keep_value_and_type", store=TrueBecomesOne),
    faulty("test_metadata_values_keep_value_and_type", store=RoundsFloats),
    faulty("test_metadata_values_keep_value_and_type", store=IntegersThroughFloats),
    faulty("test_metadata_values_keep_value_and_type", store=WholeFloatsBecomeIntegers),
    faulty("test_metadata_values_keep_value_and_type", store=DropsNone),
    faulty("test_embeddings_come_back_bit_for_bit", store=HalfPrecision),
    faulty("test_embeddings_come_back_bit_for_bit", store=NormalisesUnderCosine),
    faulty("test_hard_texts", store=StripsDocuments),
    faulty("test_hard_texts", store=CutsAtNul),
    faulty("test_limit_and_offset", store=IgnoresOffset),
    faulty("test_filters_together_with_ids_and_a_slice", store=CutsBeforeItFilters),
    faulty("test_ids_come_in_the_order_asked_for", store=IgnoresTheOrderOfIds),
    faulty("test_ids_come_in_the_order_asked_for", store=NoIdsMeansAll),
    faulty("test_every_node", store=CountIgnoresTheFilter),
    faulty("test_a_scan_that_is_not_read_to_its_end", store=ReadsWhileItIsWritten),
    faulty("test_readers_beside_a_writer", store=WritesInTwoSteps),
    faulty("test_the_caller_may_change_his_arrays", store=KeepsTheCallersArray),
    faulty("test_the_reader_may_change_metadata", store=GivesOutWhatItHolds),
    faulty("test_every_node", "test_every_filter", store=MissingIsNotUnequal),
    faulty("test_every_node", store=NotSkipsMissing),
    faulty("test_every_node", store=OneIsTrue),
    faulty("test_every_node", store=ComparesThroughFloats),
    faulty("test_every_node", store=TextIgnoresCase),
    faulty("test_every_node", store=DotsArePaths),
    faulty("test_every_node", store=InexactLosesMatches),
    faulty(
        "test_never_fewer_than_k_while_k_match",
        "test_never_fewer_than_n_results_while_so_many_match",
        store=FiltersTheNearest,
    ),
    faulty("test_ties_come_in_the_order_of_insertion", store=TiesByName),
    faulty("test_nearest_first", store=FarthestFirst),
    faulty("test_nearest_first", store=RootOfL2),
    faulty("test_zero_vectors", store=ZeroVectorsAreNan),
    faulty("test_what_was_deleted_or_replaced_is_not_found", store=FindsTheDeleted),
    faulty("test_max_distance", store=IgnoresMaxDistance),
    faulty("test_ids_restrict", store=SearchIgnoresIds),
    faulty("test_recall", store=MissesOneInTen),
    faulty("test_ids_and_filters_restrict_what_is_found_not_what_is_counted", store=CountsWhatIsLeft),
    faulty("test_texts_that_fit_best_come_first", store=CountsRecordsWithoutDocument),
    faulty("test_ids_and_filters_restrict_what_is_found_not_what_is_counted", store=TextIgnoresIds),
    faulty("test_ids_and_filters_restrict_what_is_found_not_what_is_counted", store=CutsTextsBeforeItFilters),
    faulty("test_equal_texts_come_in_the_order_of_insertion", store=TextTiesByName),
    faulty("test_texts_that_fit_best_come_first", "test_random_texts", store=WorstTextsFirst),
    faulty("test_the_same_word", "test_texts_that_fit_best_come_first", store=TextCaseMatters),
    faulty("test_texts_that_fit_best_come_first", store=EachWordOnce),
    faulty("test_a_text_search_sees_every_write", "test_texts_at_a_larger_size", store=TextsOfYesterday),
    faulty("test_create_refuses_a_name_that_is_taken", database=CreateReplaces),
    faulty("test_rename_refuses_a_name_that_is_taken", database=RenameReplaces),
    faulty("test_drop_deletes_the_records", database=DropLeavesRecords),
    faulty("test_collections_are_listed_in_the_order_of_creation", database=ListsByName),
    faulty("test_names_are_compared_whole", database=NamesIgnoreCase),
    faulty("test_a_collection_that_is_gone", database=KeysAreUnknown),
    faulty("test_a_collection_is_listed_as_it_was_created", database=LosesConfiguration),
    faulty(
        "test_what_was_written_is_there_after_reopening",
        "test_what_was_written_is_there_after_a_crash",
        "test_killed_while_writing",
        "test_a_second_process_is_refused_or_sees_the_truth",
        database=NotDurable,
    ),
    faulty("test_a_backend_that_is_not_persistent_starts_empty", database=SharedByAll),
    faulty("test_a_stale_read_is_refused", "test_one_stale_read_refuses_all", database=ChecksNothing),
    faulty("test_a_commit_that_fails_leaves_nothing", database=CommitsInSteps),
)
globals().update({fault.__name__: fault for fault in FAULTS})
