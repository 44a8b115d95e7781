"""The questions that the demo asks, and the table of its answers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from chroma_plugin.cli.output import say, table
from chroma_plugin.frozen import frozen

if TYPE_CHECKING:
    from chroma_plugin.api.collection import Collection
    from chroma_plugin.operations.results import QueryResult


@frozen
class Question:
    """A question in words, and what the answers must fulfil."""

    text: str
    where: Mapping[str, Any] | None = None
    where_document: Mapping[str, Any] | None = None

    @property
    def filter(self) -> str:
        """The filter as one writes it in Python; empty without one."""
        given = {"where": self.where, "where_document": self.where_document}
        return ", ".join(f"{name}={dict(value)!r}" for name, value in given.items() if value is not None)


QUESTIONS: Final = (
    Question("read a zip file"),
    Question("parse command line arguments"),
    Question("read a zip file", where={"kind": "class"}),
    Question("wait until another thread is done", where={"module": {"$in": ["threading", "asyncio.locks", "queue"]}}),
    Question("send an e-mail", where_document={"$contains": "SMTP"}),
    Question("copy a folder with everything in it", where={"$and": [{"kind": "function"}, {"length": {"$gt": 200}}]}),
)


def ask(collection: Collection, questions: Sequence[Question], answers: int) -> None:
    """Ask each question and print the nearest entries in a table."""
    for question in questions:
        start = time.perf_counter()
        found = collection.query(
            query_texts=[question.text],
            n_results=answers,
            where=question.where,
            where_document=question.where_document,
            include=["distances", "documents", "metadatas"],
        )
        milliseconds = (time.perf_counter() - start) * 1000
        rows = [
            (f"{distance:.3f}", id.replace(":", "."), (metadata or {}).get("kind", ""), _first_line(document or ""))
            for id, distance, metadata, document in _first_of(found)
        ]
        say(f"\n{question.text}  {question.filter}".rstrip(), "bold")
        say(f"answered in {milliseconds:.1f} ms, embedding the question included", "dim")
        table(("distance", "name", "kind", "it says"), rows)


def _first_of(found: QueryResult) -> Iterator[tuple[str, float, dict[str, Any] | None, str | None]]:
    """The answers to the only question of a query."""
    return zip(
        found["ids"][0],
        (found["distances"] or [[]])[0],
        (found["metadatas"] or [[]])[0],
        (found["documents"] or [[]])[0],
        strict=True,
    )


def _first_line(document: str) -> str:
    """The first line of the docstring; the line before it is the signature."""
    return document.partition("\n")[2].partition("\n")[0].strip()
