"""Mutation of byte strings, seeded and without dependencies: what runs where no coverage-guided fuzzer is installed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final

_NUMBERS: Final = [
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff" * 8,
    b"\0\0\0\0\0\0\0\x10",
    b"-1",
    b"9" * 30,
    b"1e999",
    b"null",
]
_LONGEST: Final = 1 << 16


def mutations(seeds: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """The seeds, and then for ever what comes of them."""
    yield from seeds
    chance = random.Random(seed)
    while True:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice((1, 1, 2, 4, 16))):
            _change(data, seeds, chance)
        yield bytes(data[:_LONGEST])


def _change(data: bytearray, seeds: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randint(0, len(data))
    end = min(len(data), at + chance.choice((1, 1, 2, 4, 8, 64)))
    match chance.randrange(6):
        case 0:
            data[at:end] = bytes(chance.randrange(256) for _ in range(end - at))
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = data[at:end] * chance.choice((1, 2, 100))
        case 3:
            data[at:end] = chance.choice(_NUMBERS)
        case 4:
            other = chance.choice(seeds)
            start = chance.randint(0, len(other))
            data[at:end] = other[start : start + chance.choice((1, 8, 64))]
        case 5 if at < len(data):
            data[at] ^= 1 << chance.randrange(8)
