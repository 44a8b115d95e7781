"""Signatures leave no document out that a pattern is found in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chroma_plugin
from chroma_plugin.filters.bigrams import byte_set
from chroma_plugin.filters.regex import compile_regex
from chroma_plugin.toolkit.signatures import signatures, with_all

PATTERNS = (
    r"[0-9][0-9]+[a-z]",  # few, as they must
    r"^\d+x$",
    r"(?i)\bK\d",
    r"[A-Z]\s[^a-z\s]",
    r"é.|\d{2}-\d",
    r"[a-z] ",  # all but a few
    r"\d*",
    r"\pL\d",  # nothing is known of it
    r"7(7|8)x",
)
TEXTS = ["", "12x", "1 2x", "12\nx", "\0\0", "k1", "\u212a1", "É 9", "A ÉÉ", "é\n", "12-3", "no digit in it", "A\v"]
LONG = "-" * 20_000 + "77x"


def documents(first: int, count: int) -> list[str | None]:
    return [
        None if row % 17 == 5 else f"a plain text {row}" if row % 3 else TEXTS[row % 13]
        for row in range(first, first + count)
    ]


@pytest.mark.parametrize("engine", ["memory", "duckdb", "duckdb, reopened"])
def test_many_documents_are_asked_as_if_one_by_one(engine: str, tmp_path: Path) -> None:
    """Those of a settled file, those in memory, those that came after the first question, and none that is gone."""
    client = chroma_plugin.EphemeralClient() if engine == "memory" else chroma_plugin.PersistentClient(tmp_path)
    texts = dict(zip(map(str, range(2_000)), [*documents(0, 1_999), LONG], strict=True))
    _put(client, texts)
    if engine == "duckdb, reopened":
        client.close()
        client = chroma_plugin.PersistentClient(tmp_path)

    with client:
        _check(client, texts)
        later = dict(zip(map(str, range(1_500, 3_100)), documents(7, 1_600), strict=True))
        _put(client, later)
        client.get_collection("many").delete(ids=["0", "3", "1500"])
        put = {id: text for id, text in later.items() if text is not None or id not in texts}
        left = {id: text for id, text in {**texts, **put}.items() if id not in ("0", "3", "1500")}
        _check(client, left)
        client.compact()
        _check(client, left)


def _put(client: Any, texts: dict[str, str | None]) -> None:
    collection = client.get_or_create_collection("many", embedding_function=None)
    collection.upsert(ids=list(texts), documents=list(texts.values()), embeddings=np.ones((len(texts), 2)))


def _check(client: Any, texts: dict[str, str | None]) -> None:
    collection = client.get_collection("many", embedding_function=None)
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(lambda pattern: collection.get(where_document={"$regex": pattern})["ids"], PATTERNS)
        for pattern, ids in zip(PATTERNS, asked, strict=True):
            found: Callable[[str], bool] = compile_regex(pattern)
            assert set(ids) == {id for id, text in texts.items() if text is not None and found(text)}, pattern


BYTES = st.lists(st.text("aZ5 .(-@é", max_size=9).map(str.encode) | st.none(), min_size=1, max_size=6)
SOME = st.sets(st.sampled_from("aZ5 .(-@é".encode()), min_size=1, max_size=3)


@given(BYTES, SOME, SOME)
def test_a_bigram_is_told_of_every_text_that_has_it(
    texts: list[bytes | None], first: set[int], second: set[int]
) -> None:
    """And of no text that has no bytes of these kinds next to each other: its neighbours don't count."""
    told = with_all(signatures(texts), [(byte_set(first), byte_set(second))])

    for text, has in zip(texts, told.tolist(), strict=True):
        pairs = set(zip(text or b"", (text or b"")[1:], strict=False))
        assert has or not any((before, behind) in pairs for before in first for behind in second)
        assert not has or len(text or b"") > 1


def test_a_kind_is_not_another() -> None:
    """What is next to each other only across two texts, or the other way round, is in neither."""
    digit_then_letter = [(byte_set(b"0123456789"), byte_set(b"abc"))]

    assert with_all(signatures([b"1", b"a", b"a1", b"", None, b"1a"]), digit_then_letter).tolist() == [False] * 5 + [
        True
    ]
