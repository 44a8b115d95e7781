"""``chroma-plugin demo``: search the standard library's documentation, on this machine, in a minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from chroma_plugin.cli.indexing import COLLECTION, PYTHON, Embedding, index, is_complete
from chroma_plugin.cli.output import say
from chroma_plugin.cli.questions import QUESTIONS, Question, ask
from chroma_plugin.cli.stores import cache_directory, opened

_Question = Annotated[
    str | None,
    typer.Argument(metavar="[QUESTION]", help="Your own question; default: some of ours.", show_default=False),
]


def demo(
    question: _Question = None,
    path: Annotated[
        Path | None,
        typer.Option("--path", help="Where the store is; default: in the user's cache.", show_default=False),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Index only so many entries.", show_default=False)
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Index again from the start.")] = False,
    embedding: Annotated[
        Embedding, typer.Option("--embedding", help="default: by meaning; hashing: by words, without a model.")
    ] = Embedding.DEFAULT,
    answers: Annotated[int, typer.Option("--answers", "-n", min=1, help="Answers per question.")] = 3,
) -> None:
    """Index the docstrings of Python's standard library into a store on disk, and ask it questions.

    The first run takes a minute or less (and fetches a model of 91 MB if it is not on this machine); later runs open
    what is there. A run that was interrupted goes on where it stopped.
    """
    directory = cache_directory() / f"demo-{embedding}-python{PYTHON}" if path is None else path
    start = time.perf_counter()
    with opened(directory) as client:
        if rebuild and COLLECTION in [collection.name for collection in client.list_collections()]:
            client.delete_collection(COLLECTION)
        collection = client.get_or_create_collection(COLLECTION, embedding_function=embedding.function())
        if is_complete(collection, limit):
            milliseconds = (time.perf_counter() - start) * 1000
            say(f"Reopened {collection.count():,} records in {milliseconds:.0f} ms from {directory}")
        else:
            say(f"Indexing the standard library of Python {PYTHON} into {directory}")
            index(collection, limit)
            say(f"Indexed {collection.count():,} records in {time.perf_counter() - start:.1f} s")
        ask(collection, QUESTIONS if question is None else [Question(question)], answers)
