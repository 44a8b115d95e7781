"""Every str in a PostgreSQL text, which has no NUL; every id in a B-tree, which takes no long ones.

NUL and the two characters after it become four characters of those two. The codes are comma-free (no code begins inside
of two others) and in the order of what they stand for, so equality, order by code point and substrings mean the same
before and after.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_CODES: Final = {"\x00": "\x01\x01\x01\x02", "\x01": "\x01\x01\x02\x02", "\x02": "\x01\x02\x02\x02"}
_MEANINGS: Final = {code: character for character, code in _CODES.items()}
_TO_CODES: Final = str.maketrans(_CODES)
_CODE: Final = re.compile("|".join(_MEANINGS))
_CONTINUED: Final = ("\x01", "\x02")
_LONG: Final = 500
"""Characters of an id from which its digest stands for it: with four bytes each they fit into an entry of an index."""


def escaped(text: str) -> str:
    """The text as PostgreSQL keeps it."""
    # Three looks for one character each are much faster than one of a regular expression.
    return text.translate(_TO_CODES) if "\x00" in text or "\x01" in text or "\x02" in text else text


def unescaped(text: str) -> str:
    """What was escaped."""
    return _CODE.sub(lambda code: _MEANINGS[code[0]], text) if "\x01" in text else text


def key_of(id: str) -> str:
    """What an id is found by: itself, or for a long one a digest, which begins as no escaped text does."""
    text = escaped(id)
    return text if len(text) <= _LONG else "\x01" + hashlib.sha256(text.encode()).hexdigest()


def is_long(key: str) -> bool:
    """Whether the key is the digest of a long id."""
    return key[:1] == "\x01" and key[1:2] not in _CONTINUED
