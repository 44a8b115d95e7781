"""BM25: the formula, and the library that the slow default uses."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.ranking.bm25 import handicaps, idf, saturation
from chroma_plugin.ranking.library import LibraryRanking
from chroma_plugin.ranking.words import words_of
from chroma_plugin.testing.judge import true_scores
from chroma_plugin.types import Records


def test_a_score_computed_by_hand() -> None:
    """Three documents; the word stands twice in one of four words, the average being three."""
    expected = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5)) * 2 / (2 + 1.5 * (0.25 + 0.75 * 4 / 3))

    scores = idf(1, 3) * saturation(np.array([2]), handicaps(np.array([4]), 3.0))

    assert scores == pytest.approx([expected], rel=1e-15)


def test_a_word_that_is_everywhere_still_counts() -> None:
    """Its weight is small, and never 0 or less: every document with the word is found."""
    assert 0 < idf(1_000_000, 1_000_000) < 1e-5


texts = st.lists(st.sampled_from(["one", "two", "three", "four", "five"]), max_size=9).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(texts, min_size=1, max_size=12).filter(any), texts.filter(bool))
def test_the_scores_are_those_of_bm25s(documents: list[str], query: str) -> None:
    """Its method "lucene" with the whole vocabulary, and the plain reference of the conformance kit."""
    whole = bm25s.BM25(method="lucene", k1=1.5, b=0.75, dtype="float64")
    whole.index([words_of(document) for document in documents], show_progress=False)
    ranking = LibraryRanking([query])
    ranking.add(documents)

    [scores] = ranking.scores()

    assert scores.tolist() == whole.get_scores(words_of(query)).tolist()
    assert scores == pytest.approx(true_scores(query, Records([""] * len(documents), documents=documents)), rel=1e-12)


def test_what_is_no_document_does_not_count() -> None:
    """None has no score; an empty text is a document of no words."""
    ranking = LibraryRanking(["cat", "..."])

    assert ranking.add([None, "a cat", None]) == {1: 0}
    assert ranking.add(["", "no", "cat"]) == {2: 3}
    found, nothing = ranking.scores()

    assert np.flatnonzero(found).tolist() == [0, 3]
    assert nothing.tolist() == [0.0] * 4


WITHOUT = """
    import sys
    sys.modules["bm25s"] = None  # as if it were not installed
    import chroma_plugin as chromadb
    from chroma_plugin.errors import MissingDependencyError
    from chroma_plugin.plugins import PluginManager
    from support import plain_backend

    def filled(client):
        collection = client.create_collection("things", embedding_function=None)
        collection.add(ids=["a"], embeddings=[[1]], documents=["a cat"])
        return collection

    print(filled(chromadb.Client()).search_text("cat")["ids"])
    try:
        filled(chromadb.Client(plugins=PluginManager([plain_backend]), chroma_db_impl="plain")).search_text("cat")
    except MissingDependencyError as error:
        print(error)
"""


def test_without_the_library(request: pytest.FixtureRequest) -> None:
    """Our own engines search as ever; for others the error holds the line that installs it."""
    script = f"import sys; sys.path.insert(0, {str(request.config.rootpath / 'tests')!r})\n{textwrap.dedent(WITHOUT)}"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)

    found, refused = done.stdout.splitlines()
    assert (done.returncode, found) == (0, "[['a']]"), done.stderr
    assert "pip install 'chroma-plugin[text]'" in refused
