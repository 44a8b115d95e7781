"""The activation of the network: gelu(x) = x * Phi(x), with the error function, in place."""

from __future__ import annotations

from typing import Final

import numpy as np

from chroma_plugin.types import Matrix

# Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.26: erfc(z) = poly(t) * exp(-z * z) with t = 1 / (1 + p
# z), for z >= 0, to 1.5e-7. With z = |x| / sqrt(2), gelu(x) = max(x, 0) - |x| * poly(t) / 2 * exp(-x * x / 2): no case
# for the sign of x.
_P: Final = np.float32(0.3275911 / np.sqrt(2.0))
_HALVED: Final = tuple(
    np.float32(coefficient / 2) for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)

# Three temporaries of this many float32 stay in the second-level cache of a core.
_BLOCK: Final = 32768


def gelu(values: Matrix) -> None:
    """Replace every value by its gelu; ``values`` is C-contiguous. The absolute error is below 3e-7 * max(1, |x|)."""
    flat = values.reshape(-1)
    scratch = np.empty((3, min(_BLOCK, flat.size)), np.float32)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        _gelu_block(block, *scratch[:, : block.size])


def _gelu_block(x: Matrix, size: Matrix, t: Matrix, tail: Matrix) -> None:
    np.abs(x, out=size)
    np.multiply(size, _P, out=t)
    t += np.float32(1)
    np.reciprocal(t, out=t)
    np.multiply(t, _HALVED[0], out=tail)
    for coefficient in _HALVED[1:]:
        tail += coefficient
        tail *= t
    tail *= size
    np.multiply(size, size, out=size)
    size *= np.float32(-0.5)
    np.exp(size, out=size)
    tail *= size
    np.maximum(x, np.float32(0), out=x)
    x -= tail
