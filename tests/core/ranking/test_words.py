"""What a word is."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.ranking import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The quick brown-fox, twice: the QUICK.", ["the", "quick", "brown", "fox", "twice", "the", "quick"]),
        ("don't a_b x2 3.14 C++", ["don", "t", "a_b", "x2", "3", "14", "c"]),
        ("", []),
        (" \n...!?", []),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("caf\u00e9 CAFE\u0301", ["caf\u00e9", "caf\u00e9"]),
        ("ＡＢＣ ﬁne x²", ["abc", "fine", "x2"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("ประเทศไทย", ["ประเทศไทย"]),
        ("数据库 SQL查询", ["数", "据", "库", "sql", "查", "询"]),
        ("私のデータ", ["私", "の", "データ"]),
        ("ﾃﾞｰﾀ", ["データ"]),
        ("한국어 검색", ["한국어", "검색"]),
        ("👩‍👩‍👧‍👦 🏳️‍🌈", []),
        ("𝔘𝔫𝔦 Привет שלום", ["uni", "привет", "שלום"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Runs of letters, digits, underscores and marks, without case; Chinese characters and hiragana one by one."""
    assert words_of(text) == words


@given(st.text())
def test_any_text(text: str) -> None:
    """Words are never empty, hold no blanks, and hold every letter and digit of the text."""
    words = words_of(text)
    folded = unicodedata.normalize("NFKC", text).casefold()

    assert all(re.fullmatch(r"\S+", word) for word in words)
    assert [char for word in words for char in word if char.isalnum()] == [char for char in folded if char.isalnum()]


@given(st.text(st.characters(max_codepoint=127)), st.sampled_from(["\u00e9", "据", "\u0301"]))
def test_what_is_not_ascii_changes_nothing_else(text: str, other: str) -> None:
    """The quick way for ASCII and the other give the same words."""
    assert words_of(f"{text} . {other}")[: len(words_of(text))] == words_of(text)


@given(st.text())
def test_normal_forms(text: str) -> None:
    """Composed and decomposed, and in either case as far as that is one text, the words are the same."""
    assert words_of(unicodedata.normalize("NFD", text)) == words_of(unicodedata.normalize("NFC", text))
