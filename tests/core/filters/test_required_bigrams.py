"""What must follow upon one another wherever a pattern matches does so in every text that it matches."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.bigrams import byte_set, required_bigrams
from chroma_plugin.filters.regex import compile_regex

DIGITS, LOWER, BEYOND = b"0123456789", b"abcdefghijklmnopqrstuvwxyz", bytes(range(128, 256))


@pytest.mark.parametrize(
    ("pattern", "bigrams"),
    [
        ("[0-9][0-9]+[a-z]", {(DIGITS, DIGITS), (DIGITS, LOWER)}),
        ("[0-9]+[a-z]*x", {(DIGITS + LOWER, b"x"), (DIGITS, LOWER)}),
        (r"a?\b-(b|cd)$", {(b"-", b"bc")}),
        ("(?:ab){2}", {(b"a", b"b"), (b"b", b"a")}),
        ("(?:ab){0}cd", {(b"c", b"d")}),
        ("(?i)a(?-i:b)", {(b"Aa", b"b")}),
        ("(?i)k1", {(b"KkSs" + BEYOND, b"1")}),
        ("é1", {(BEYOND, b"1")}),
        (r"x\d{3}", {(b"x", DIGITS), (DIGITS, DIGITS)}),
        ("a{02}", set()),
        ("a{1000000000}", set()),
        (r"a\C", set()),
        (r"a\pL", set()),
        ("^a?$", set()),
        ("", set()),
        ("(" * 900 + "ab" + ")" * 900, set()),
    ],
)
def test_what_must_follow(pattern: str, bigrams: set[tuple[bytes, bytes]]) -> None:
    """Between parts that are never empty, however they are nested and repeated; nothing when in doubt."""
    assert required_bigrams(pattern) == {(byte_set(first), byte_set(second)) for first, second in bigrams}


ATOMS = ["a", "k", "s", "S", "1", "-", "é", "ſ", "\u212a", ".", r"\d", r"\W", r"\S", r"\s", r"\n", r"\v", "[^a]"]
ATOMS += ["[a-k]", "[^\\W\\d]", "[é-ſ]", "[^é]", "[^s]", "\\.", "\0", "^", "$", r"\b", r"\B", "{", "}", ","]
PATTERNS = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join).map("(?:{})".format),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "??", "{2}", "{0,3}", "{02}", "{2,}?", "{0}"])),
        st.builds("{}{}".format, inner, st.sampled_from(["?", "+?", "{,2}", "{1,2}", "{02}"])),
        st.builds("(?{}:{})".format, st.sampled_from(["i", "s", "m", "-i", "is-m", "U"]), inner),
    ),
    max_leaves=6,
)
FLAGS = st.sampled_from(["", "(?i)", "(?s)", "(?m)", "(?is)"])
TEXTS = st.text("akKsS1-.\0\n\v {}02,éÉſ\u212a🔑", max_size=10)


@given(st.builds("{}{}".format, FLAGS, PATTERNS), st.lists(TEXTS, max_size=8))
@example("(?i)s1", ["ſ1"])
@example("(?i)[^k]a", ["ka", "\u212aa", "ſA"])
@example(r"\S1", ["\v1"])
@example("a{02}1", ["a{02}1", "a1"])
@example("a.1", ["a\ud8001", "a\n1"])
def test_what_matches_has_them(pattern: str, texts: list[str]) -> None:
    """For whatever RE2 accepts: a text without one of the bigrams does not match."""
    try:
        found = compile_regex(pattern)
    except InvalidArgumentError:
        return

    for text in filter(found, texts):
        bigrams = [(1 << first, 1 << second) for first, second in pairwise(text.encode("utf-8", "surrogatepass"))]
        for first, second in required_bigrams(pattern):
            assert any(first & before and second & behind for before, behind in bigrams)
