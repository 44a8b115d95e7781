"""Warnings: calls that did less than they may seem to."""

from __future__ import annotations

import warnings

from chroma_plugin.operations.results import AddReport
from chroma_plugin.requests.many import examples


class ExistingIDsWarning(UserWarning):
    """`add` met ids that are in the collection and left those records as they were."""


class NothingDeletedWarning(UserWarning):
    """`delete` was called without saying what to delete."""


def existing_ids(collection: str, report: AddReport, stacklevel: int) -> None:
    warnings.warn(
        f"add: {len(report.ignored)} of the ids are in collection {collection!r} already; those records stay as they "
        f"were: {examples(report.ignored)}. Use upsert to change them, or say add(..., on_conflict='ignore'), 'error' "
        f"or 'replace'. This is said once per collection object.",
        ExistingIDsWarning,
        stacklevel=stacklevel + 1,
    )


def nothing_deleted(stacklevel: int) -> None:
    warnings.warn(
        "delete() deleted nothing: say which records with ids, where or where_document. "
        "client.delete_collection(name) deletes a collection, client.reset() everything.",
        NothingDeletedWarning,
        stacklevel=stacklevel + 1,
    )
