"""Which documents may match a regular expression, told by 64 bits of each: a signature file.

Bytes are of eight kinds, and bit 8 i + j of a document's signature says whether a byte of kind i is followed by one of
kind j in it. So a pattern that must have a digit before a letter is asked of those documents only that have such a
place. Signatures are made when a pattern first needs them, and brought up to date by each with the rows that came
since. Rows never change, so no signature does. All of them can be thrown away at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.filters.bigrams import Bigram, byte_set
from chroma_plugin.toolkit.growing import Growing
from chroma_plugin.toolkit.texts import Kind, Texts

Signature = npt.NDArray[np.uint64]

_KINDS: Final = (
    byte_set(b"abcdefghijklmnopqrstuvwxyz"),
    byte_set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    byte_set(b"0123456789"),
    byte_set(range(33)),  # spaces and control characters
    byte_set(b".,;:!?'\"`"),
    byte_set(b"()[]{}<>"),
    byte_set(b"-_"),
    byte_set(b"#$%&*+/=@\\^|~") | byte_set(range(127, 256)),
)
"""Tried on patterns that people write: what stands together in one kind is not told apart."""
_BETWEEN: Final = b"\xff"
"""What stands between texts: no byte of UTF-8."""
_ROWS_AT_ONCE: Final = 500
_LONG: Final = 16 << 10
"""Bytes of a text that is taken to have every bigram: most have by then, and what is needed at a time stays small."""
_TELLING: Final = 16
"""Bigrams that are looked for, those with the fewest bits first: a long pattern is no reason for long work."""
_EVERY: Final = np.uint64(2**64 - 1)


class Signatures:
    """Those of the rows of one table."""

    def __init__(self) -> None:
        self._extending = threading.Lock()
        self._signatures = Growing(np.uint64)

    @property
    def nbytes(self) -> int:
        return self._signatures.nbytes

    def up_to(self, texts: Texts, length: int) -> Signature:
        """The signatures of the first `length` rows, brought up to date now."""
        with self._extending:
            for first in range(len(self._signatures), length, _ROWS_AT_ONCE):
                rows = np.arange(first, min(first + _ROWS_AT_ONCE, length))
                self._signatures.extend(signatures(texts.encoded(rows, Kind.DOCUMENT)))
        return self._signatures[:length]


def with_all(signatures: Signature, bigrams: Iterable[Bigram]) -> npt.NDArray[np.bool_]:
    """Which of the signatures may be those of texts that have all these bigrams."""
    masks = sorted({_mask(bigram) for bigram in bigrams}, key=int.bit_count)[:_TELLING]
    told = ((signatures & np.uint64(mask)) != 0 for mask in masks)
    return reduce(np.logical_and, told, np.ones(len(signatures), dtype=np.bool_))


def _mask(bigram: Bigram) -> int:
    """The bits of which one at least is set if one byte of the first set is followed by one of the second."""
    first, second = ([kind for kind, members in enumerate(_KINDS) if members & wanted] for wanted in bigram)
    return sum(1 << 8 * before + behind for before in first for behind in second)


def signatures(texts: Sequence[bytes | None]) -> Signature:
    """The signature of each text; no bit for one that is missing."""
    short = [b"" if text is None or len(text) > _LONG else text for text in texts]
    kinds = np.frombuffer(_BETWEEN.join([*short, _BETWEEN]).translate(_KIND), dtype=np.uint8).astype(np.uint16)
    # Next to `_BETWEEN` it is a shift beyond the last bit, which leaves none.
    bits = np.left_shift(np.uint64(1), kinds[:-1] * np.uint16(8) + kinds[1:], dtype=np.uint64)
    sizes = np.fromiter(map(len, short), dtype=np.intp, count=len(short)) + 1
    found = np.bitwise_or.reduceat(bits, np.cumsum(sizes) - sizes)
    found[[text is not None and len(text) > _LONG for text in texts]] = _EVERY
    return found


def _kind(byte: int) -> int:
    return 64 if byte == ord(_BETWEEN) else next(kind for kind, members in enumerate(_KINDS) if members >> byte & 1)


_KIND: Final = bytes(map(_kind, range(256)))
