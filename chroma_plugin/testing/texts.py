"""The kit's tests of text search: what a word is, right scores, best first, nothing left out, every write seen."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin import Client
from chroma_plugin.backend import CollectionStore
from chroma_plugin.filters import Expr, parse_where
from chroma_plugin.filters.ast import Compare, Op
from chroma_plugin.filters.ast import Path as Key
from chroma_plugin.operations import pushdown
from chroma_plugin.testing.base import Bench, created, listed, open_store
from chroma_plugin.testing.clients import filled
from chroma_plugin.testing.data import contents, read, records, vectors
from chroma_plugin.testing.judge import check_ranked, matching
from chroma_plugin.types import FIELDS, NO_FIELDS, Ranked, Records, TextSearch

HAS_LIBRARY: Final = importlib.util.find_spec("bm25s") is not None
"""Stores without a text search of their own need it."""

PETS: Final = (
    "The cat sat on the mat.",
    "A dog and a cat; the dog barked at the cat, the cat did not bark.",
    "Dogs bark.",
    None,
    "",
    "Nothing about animals is said in this one, at some length, and without a point",
    "cat",
    "Cat! CAT? cat...",
)
QUERIES: Final = ("cat", "dog cat", "the dog barked", "bark at nothing", "cat cat dog", "unicorn", "...", "")

SAME_WORD: Final = (
    ("Straße", "STRASSE"),
    ("caf\u00e9", "CAFE\u0301"),
    ("ＡＢＣ１２", "abc12"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("snake_case", "SNAKE_CASE"),
    ("हिन्दी", "हिन्दी"),
    ("ประเทศไทย", "ประเทศไทย"),
    ("x2", "x²"),
    ("数据库", "据"),
    ("ひらがな", "ら"),
)
"""What is written and a query that finds it."""
OTHER_WORD: Final = (
    ("cats", "cat"),
    ("caf\u00e9", "cafe"),
    ("snake_case", "case"),
    ("100", "10"),
    ("カタカナ", "カナ"),
    ("हिन्दी", "हिन"),
)
"""What is written and a query that does not find it."""


class Texts(Bench):
    """`search_text` gives the k records whose documents fit the words best, by `chroma_plugin.ranking.bm25`.

    Troubleshooting: the numbers in the formula are those of all documents of the collection, whatever is searched;
    leave `search_text` to its default if your engine's own text search counts otherwise.
    """

    def ranked(
        self, store: CollectionStore, queries: Sequence[str], k: int, where: Expr | None = None, **options: object
    ) -> list[Ranked]:
        """What the store, and the core for it, answers."""
        if type(store).search_text is CollectionStore.search_text and not HAS_LIBRARY:
            pytest.skip("this store has no text search of its own, and bm25s is not installed")
        return pushdown.search_text(store, TextSearch(queries, k, where=where, **options))  # type: ignore[arg-type]

    def check(self, store: CollectionStore, queries: Sequence[str] = QUERIES, ks: Sequence[int] = (1, 3, 50)) -> None:
        """Right answers about what the store holds now."""
        now = read(store)
        for k in ks:
            answers = self.ranked(store, queries, k)
            assert len(answers) == len(queries), "A text search gives one `Ranked` per query."
            for query, ranked in zip(queries, answers, strict=True):
                check_ranked(ranked, query, now, range(len(now)), k)

    def test_texts_that_fit_best_come_first(self, store: CollectionStore) -> None:
        """Scores are right for words that stand once, often, twice in the query; without a document or a word: none."""
        store.put(records([f"t{row}" for row in range(len(PETS))], documents=PETS))
        self.check(store)

    @pytest.mark.parametrize(("written", "query"), SAME_WORD)
    def test_the_same_word(self, store: CollectionStore, written: str, query: str) -> None:
        """Case, compatibility forms and composition make no difference; Chinese characters are words of their own."""
        store.put(records(["other", "this"], documents=["something else", f"before ({written}), after"]))
        for asked in (query, written):
            [ranked] = self.ranked(store, [asked], 5)
            assert list(ranked.records.ids) == ["this"]

    @pytest.mark.parametrize(("written", "query"), OTHER_WORD)
    def test_another_word(self, store: CollectionStore, written: str, query: str) -> None:
        """Parts of words, stems and letters without their accents are other words."""
        store.put(records(["this"], documents=[f"before ({written}), after"]))
        [ranked] = self.ranked(store, [query], 5)
        assert list(ranked.records.ids) == []

    def test_equal_texts_come_in_the_order_of_insertion(self, store: CollectionStore) -> None:
        """Also when one of them was replaced, or became equal later."""
        store.put(records(["m", "z", "a", "k", "b"], documents=["same text"] * 3 + ["other", "same text"]))
        store.put(records(["z"], documents=["same text"]))
        store.update(Records(["k"], documents=["same text"]))
        for k in (1, 2, 4, 9):
            [ranked] = self.ranked(store, ["text"], k)
            assert list(ranked.records.ids) == ["m", "z", "a", "k", "b"][:k], "Ties come in the order of insertion."

    @pytest.mark.parametrize("documents", [(), (None, None), ("", "..."), ("", None)])
    def test_where_there_are_no_words(self, store: CollectionStore, documents: Sequence[str | None]) -> None:
        """Nothing is found, and nothing is divided by zero."""
        if documents:
            store.put(records([f"t{row}" for row in range(len(documents))], documents=documents))
        for ranked in self.ranked(store, ["cat", "", "!"], 5):
            assert (list(ranked.records.ids), ranked.scores.shape) == ([], (0,))

    def test_ids_and_filters_restrict_what_is_found_not_what_is_counted(self, store: CollectionStore) -> None:
        """The scores of what is left are those of the whole collection, and no match is lost to a better one."""
        store.put(records([f"t{row}" for row in range(len(PETS))], documents=PETS))
        now = read(store)
        wheres = [Compare(Key(("row",)), Op.GE, 2), parse_where(None, where_document={"$contains": "dog"}), None]
        for where in wheres:
            for ids in (["t6", "t1", "nobody", "t0"], ["t3"], [], None):
                among = [row for row in matching(now, where) if ids is None or now.ids[row] in ids]
                for k in (1, 2, 9):
                    for query in QUERIES:
                        [ranked] = self.ranked(store, [query], k, where, ids=ids)
                        check_ranked(ranked, query, now, among, k)

    @pytest.mark.parametrize("fields", [NO_FIELDS, frozenset(("metadatas",)), FIELDS])
    def test_found_texts_hold_the_columns_asked_for(self, store: CollectionStore, fields: frozenset[str]) -> None:
        """As they were written."""
        written = records([f"t{row}" for row in range(len(PETS))], documents=PETS)
        store.put(written)
        [ranked] = self.ranked(store, ["cat dog"], 3, fields=fields)
        rows = [written.ids.index(id) for id in ranked.records.ids]
        assert len(rows) == 3
        if "metadatas" in fields:
            assert list(ranked.records.metadatas or []) == list(written.take(rows).metadatas or [])
        if fields == FIELDS:
            assert contents(ranked.records) == contents(written.take(rows))

    def test_a_text_search_sees_every_write(self, store: CollectionStore) -> None:
        """Each kind of write changes what is found and what is counted, at once."""
        store.put(records([f"t{row}" for row in range(len(PETS))], documents=PETS))
        self.check(store)
        store.delete(["t1", "t6"])
        self.check(store)
        store.put(records(["t0", "new"], documents=["no more pets", "a dog and a cat"]))
        self.check(store)
        store.update(Records(["t3", "t7"], documents=["the dog, at last", None]))
        self.check(store)
        store.update(Records(["new"], embeddings=vectors(1, seed=5)))
        store.insert(records(["t1", "new"], documents=["cat again", "ignored cat"]))
        self.check(store)
        store.delete([*read(store).ids])
        self.check(store)
        store.put(records(["first"], documents=["cat"]))
        self.check(store)

    def test_texts_at_a_larger_size(self, store: CollectionStore) -> None:
        """Thousands of records, in many batches, with a third deleted and a third replaced."""
        words = np.array([f"word{number}" for number in range(200)])
        random = np.random.default_rng(7)

        def texts(count: int) -> list[str]:
            lengths = random.integers(1, 40, size=count)
            return [" ".join(words[(random.random(length) ** 3 * 200).astype(int)]) for length in lengths]

        for batch in range(20):
            ids = [f"r{batch * 100 + row}" for row in range(100)]
            store.put(records(ids, documents=texts(100)))
        queries = ["word0", "word0 word7 word150", "word199 word42 word42 nothing"]
        self.check(store, queries, (10,))
        store.delete([f"r{row}" for row in range(0, 2000, 3)])
        changed = [f"r{row}" for row in range(1, 2000, 3)]
        store.put(records(changed, documents=texts(len(changed))))
        self.check(store, queries, (10,))
        store.optimize()
        store.put(records(["last"], documents=["word0 word150"]))
        self.check(store, queries, (1, 10, 3000))

    def test_texts_are_found_when_opened_again(self, place: Path) -> None:
        """What was found before is found after, with the same scores."""
        with self.opened(place) as engine:
            if not self.keeps(engine):
                pytest.skip("this backend keeps nothing")
            with created(engine) as store:
                store.put(records([f"t{row}" for row in range(len(PETS))], documents=PETS))
                store.delete(["t0"])
                self.check(store)
        with self.opened(place) as engine, open_store(engine, *listed(engine)) as store:
            self.check(store)

    def test_random_texts(self, client: Client) -> None:
        """Random words, queries and filters through the client: as the reference has it."""
        if not HAS_LIBRARY:
            pytest.skip("bm25s is not installed")
        words = st.lists(st.sampled_from(("a", "b", "c", "ä", "Ä", "猫", "A b")), max_size=6)
        texts = words.map(" ".join)

        @self.property
        @given(
            documents=st.lists(texts | st.none(), min_size=1, max_size=12),
            queries=st.lists(texts, min_size=1, max_size=3),
            least=st.none() | st.integers(0, 12),
            k=st.integers(1, 15),
        )
        def check(documents: list[str | None], queries: list[str], least: int | None, k: int) -> None:
            written = records([f"t{row}" for row in range(len(documents))], documents=documents)
            opened = filled(client, written)
            where = None if least is None else {"row": {"$gte": least}}
            found = opened.search_text(queries, n_results=k, where=where, include=["scores"])
            client.delete_collection("things")
            among = range(least or 0, len(documents))
            for query, ids, scores in zip(queries, found["ids"], found["scores"], strict=True):
                check_ranked(Ranked(Records(ids), np.array(scores)), query, written, among, k)

        check()
