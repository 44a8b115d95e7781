"""What is told of a regular expression without matching it holds for every text that it matches."""

from __future__ import annotations

import warnings

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.literals import is_local, required_literal
from chroma_plugin.filters.regex import compile_regex

SEEDS = [
    pattern.encode()
    for pattern in (
        "apple",
        "^one (apple|pear)s?$",
        "(?i)abc",
        "a{2,5}b",
        "[a-z]+\\d",
        "\\bword\\b",
        "(?:ab)+c",
        "x*y+?z",
        "[[:alpha:]]",
        "\\pL",
        "a|b|cd",
        "\\Qa.b\\E",
        "(?P<n>a)b",
        "[^a]b",
        "\\x41",
        "(a+)+$",
        "ab{,3}",
        "[a&&b]",
        "[a||b]",
        "\\Aabc\\z",
    )
]
_TEXTS = (
    "",
    "one apple",
    "two pears",
    "ABC abc",
    "aab aaab",
    "word",
    "ababc xyz",
    "a.b",
    "A\nb",
    "ab{,3}",
    "[a]|b&&",
    "é日本🔑",
)


def one(data: bytes) -> None:
    pattern = data.decode("utf-8", "replace")
    try:
        found = compile_regex(pattern)
    except InvalidArgumentError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        literal, local = required_literal(pattern), is_local(pattern)
    for text in (*_TEXTS, pattern):
        if found(text):
            assert literal in text, f"{pattern!r} matches {text!r}, which lacks {literal!r}"
            assert not local or found(f"x\n{text}\ny"), (
                f"{pattern!r} matches {text!r}, but not where it stands in another"
            )
