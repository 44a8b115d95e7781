"""What is told of a regular expression without matching it holds for every text that it matches."""

from __future__ import annotations

import warnings

from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.bigrams import required_bigrams
from chroma_plugin.filters.literals import is_local, required_literal
from chroma_plugin.filters.regex import compile_regex
from chroma_plugin.toolkit.signatures import signatures, with_all

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
        "[0-9][0-9]+[a-z]",
        "(?is)[^k-s]{2}.(?-i:x)?",
        "a{02}b{1,2}?",
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
        literal, local, bigrams = required_literal(pattern), is_local(pattern), required_bigrams(pattern)
    for text in (*_TEXTS, pattern):
        if found(text):
            assert literal in text, f"{pattern!r} matches {text!r}, which lacks {literal!r}"
            assert with_all(signatures([text.encode("utf-8", "surrogatepass")]), bigrams).all(), (
                f"{pattern!r} matches {text!r}, whose signature says that it does not"
            )
            assert not local or found(f"x\n{text}\ny"), (
                f"{pattern!r} matches {text!r}, but not where it stands in another"
            )
