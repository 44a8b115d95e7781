"""What is told of a pattern without matching it is true of whatever it matches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.literals import is_local, required_literal
from chroma_plugin.filters.regex import compile_regex


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("error", "error"),
        (r"itera(tor|ble)s? (of|over)", "itera"),
        (r"^the (quick) \w+ fox$", "the quick "),
        (r"ab\bcd", "abcd"),
        (r"1\.5", "1.5"),
        ("colou?r", "colo"),
        ("ab+c", "a"),
        ("cat|dog", ""),
        ("(?i)error", ""),
        ("a(?i:b)c", "a"),
        ("(?s)a.bc", "bc"),
        ("(?i)a(?-i:bc)", "bc"),
        (r"a\tb", "a\tb"),
        ("ab{02}c", ""),
        (r"\Qa+b\E", ""),
        (r"\pL", ""),
        ("ab{,3}", ""),
        ("[[:alpha:]]", ""),
        ("(" * 900 + "a" + ")" * 900, ""),
        ("", ""),
    ],
)
def test_the_longest_run(pattern: str, literal: str) -> None:
    """The longest that is certain, or nothing."""
    assert required_literal(pattern) == literal


PIECES = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "\u00e9",
        "|",
        "(",
        ")",
        "(?:",
        "(?i)",
        "(?i:",
        "[",
        "]",
        "[^",
        "*",
        "+",
        "?",
        "{,2}",
        "{2}",
        "{1,}",
        "{",
        "}",
        ",",
        "^",
        "$",
        ".",
        "-",
        "&&",
        "\\b",
        "\\d",
        "\\.",
        "\\Q",
        "\\E",
        "\\x61",
        "\\z",
        "[:alpha:]",
        "1",
        "\\\\",
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.text("aAbB1.{,2}\u00e9\\E-&", max_size=12))
def test_what_matches_has_it(pattern: str, text: str) -> None:
    """For whatever RE2 accepts: a text without the literal does not match."""
    try:
        found = compile_regex(pattern)
    except InvalidArgumentError:
        return

    assert not found(text) or required_literal(pattern) in text


@given(st.lists(PIECES, max_size=8).map("".join), *[st.text("aAbB1.{,2}\u00e9\\E-&\n", max_size=8)] * 3)
def test_what_is_local_matches_in_any_surroundings(pattern: str, text: str, before: str, behind: str) -> None:
    """A text that matches still does with others before and behind it."""
    try:
        found = compile_regex(pattern)
    except InvalidArgumentError:
        return

    if is_local(pattern) and found(text):
        assert found(f"{before}\n{text}\n{behind}")
