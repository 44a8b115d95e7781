"""compile_regex: linear time, all of Unicode, and errors with RE2's reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import compile_regex
from chroma_plugin.filters.regex import MAX_PATTERN


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", "abbc", True),
        ("^b", "abbc", False),
        ("", "", True),
        ("^$", "", True),
        ("a.c", "a\nc", False),
        ("(?s)a.c", "a\nc", True),
        ("(?m)^c$", "a\nc", True),
        ("(?i)É", "é", True),
        ("^.$", "🔑", True),
        ("🔑.\x00", "x🔑é\x00y", True),
        ("a\x00b", "a\x00b", True),
        ("a\x00b", "a\x00c", False),
        (r"\p{Greek}+", "αβγ", True),
        ("a", "\ud800a", True),
    ],
)
def test_search(pattern: str, text: str, found: bool) -> None:
    """The pattern is searched for anywhere, in any text, NUL bytes and non-BMP characters included."""
    assert compile_regex(pattern)(text) is found


def test_time_is_linear_by_construction() -> None:
    """The classic exponential pattern comes to an end on a long text, where a backtracking engine never would."""
    assert not compile_regex("(a+)+$")("a" * 200_000 + "b")
    assert compile_regex("(x+x+)+y")("x" * 200_000 + "y")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "missing ): ("),
        ("[z-a]", "invalid character class range"),
        ("(?=a)", "no look-around"),
        (r"(a)\1", "invalid escape sequence"),
        ("a{1001}", "invalid repetition size"),
        (r"(\p{L}{1,1000})", "pattern too large"),
        ("\ud800", "lone surrogate"),
        ("a" * (MAX_PATTERN + 1), f"may have {MAX_PATTERN:,} characters"),
    ],
)
def test_refused_pattern(pattern: str, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A pattern that RE2 can't compile is refused with the reason, and nothing is written to stderr."""
    with pytest.raises(InvalidArgumentError) as caught:
        compile_regex(pattern)
    assert words in str(caught.value)
    assert capfd.readouterr().err == ""


@settings(max_examples=100, deadline=None)
@given(needle=st.text(max_size=4), text=st.text("abc.*\x00é🔑", max_size=10))
def test_escaped_text_is_found_as_a_substring_is(needle: str, text: str) -> None:
    """Escaping takes the meaning out of every character."""
    for part in (needle, text[2:5]):
        assert compile_regex(re.escape(part))(text) is (part in text)
