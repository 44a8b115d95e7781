"""What a word is: of documents and of queries, in every engine.

A text is normalised (NFKC) and case-folded, so that ``Straße``, ``STRASSE`` and their full-width or decomposed forms
are one word. A word is then a longest run of letters, digits, underscores and the marks that belong to letters.
Everything else separates. Chinese characters and hiragana, which are written without spaces, are words one by one: the
rule of Unicode's word boundaries (UAX #29) and of Lucene's standard tokenizer. No word is left out (a word that is
everywhere weighs next to nothing), and none is reduced to a stem.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Final

_ASCII: Final = "".join(c.lower() if c.isalnum() or c == "_" else " " for c in map(chr, range(128)))
"""For each character of ASCII what it is in a word, or a space."""
# Hiragana with its marks; 々 〆 〇; the Han blocks, of which the last two planes hold nothing else.
_SINGLE: Final = "\u3041-\u309f\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"


def words_of(text: str) -> list[str]:
    """The words of a text, in order, each as often as it stands there."""
    if text.isascii():
        return text.translate(_ASCII).split()
    return _unicode().findall(unicodedata.normalize("NFKC", text).casefold())


@cache
def _unicode() -> re.Pattern[str]:
    # \w is letters, digits and underscore, but not the vowel signs of, say, Hindi and Thai.
    letters, marks = f"[^\\W{_SINGLE}]+", f"[{''.join(_ranges_of_marks())}]+"
    return re.compile(f"[{_SINGLE}]|{letters}(?:{marks}(?:{letters})?)*")


def _ranges_of_marks() -> Iterator[str]:
    """All combining marks as ranges of a character class; behind the first two planes are only ideographs."""
    first = None
    for code in range(0x300, 0x20001):
        is_mark = unicodedata.category(chr(code))[0] == "M"
        if is_mark and first is None:
            first = code
        elif not is_mark and first is not None:
            yield f"{chr(first)}-{chr(code - 1)}"
            first = None
