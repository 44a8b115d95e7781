"""Embeddings: anything of numbers with the shape (n, d) or (d,) becomes one finite float32 matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chroma_plugin.distances import is_finite
from chroma_plugin.errors import InvalidArgumentError, InvalidDimensionError
from chroma_plugin.requests.many import pieces
from chroma_plugin.requests.shown import kind
from chroma_plugin.types import Matrix
from chroma_plugin.wording import shown

_FLOAT32: Final = np.dtype(np.float32)


def matrix(value: Any, what: str = "embeddings") -> Matrix:
    """Float32, C-contiguous, shape (n, d) with n and d at least 1; one embedding becomes one row.

    A float32 matrix that is already so is returned as it is, not copied. Raises InvalidArgumentError for what is not
    numbers (booleans are none) or not finite as float32, InvalidDimensionError for rows of different lengths.
    """
    ready = _is_ready(value)
    array = value if ready else _two_dimensional(_array(value, what), what)
    floats = array if ready else _as_float32(array)
    _refuse_infinite(floats, array, what)
    return floats


def _is_ready(value: Any) -> bool:
    """Whether it has the type and the shape already, as nearly always: then nothing more is asked of it."""
    return (
        type(value) is np.ndarray
        and value.dtype is _FLOAT32
        and value.ndim == 2
        and value.size > 0
        and value.flags.c_contiguous
    )


def _two_dimensional(array: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    if array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim != 2:
        raise InvalidArgumentError(f"{what} must have the shape (n, d) or (d,), not {array.shape}.")
    if 0 in array.shape:
        raise InvalidArgumentError(f"{what} holds no numbers: its shape is {array.shape}.")
    return array


@np.errstate(over="ignore")
def _as_float32(array: npt.NDArray[Any]) -> Matrix:
    return np.ascontiguousarray(array, dtype=np.float32)


def _array(value: Any, what: str) -> npt.NDArray[Any]:
    if type(value) is np.ndarray and value.dtype.kind in "fiu":  # as nearly always in a program that is in a hurry
        return value
    if value is None or isinstance(value, (str, bytes, dict, set)) or np.isscalar(value):
        raise InvalidArgumentError(
            f"{what} must be a list of numbers, a list of such lists or an array, not {kind(value)}."
        )
    # The plain type first: np.ma takes as long to import as all else here.
    if isinstance(value, np.ndarray) and type(value) is not np.ndarray and np.ma.is_masked(value):
        raise InvalidArgumentError(f"{what} has masked numbers: fill them, or leave those records out.")
    array = _stacked(value, what)
    if array.dtype.kind not in "fiu":
        raise InvalidArgumentError(_not_numbers(value, array, what))
    if isinstance(value, (list, tuple)):
        _refuse_booleans(value, array, what)
    return array


def _stacked(value: Any, what: str) -> npt.NDArray[Any]:
    try:
        if isinstance(value, (list, tuple)) and value and all(type(row) is np.ndarray for row in value):
            return np.stack(value)
        return np.asarray(value)
    except Exception as error:  # an object inside may raise anything
        raise _unreadable(value, what) from error


def _unreadable(value: Any, what: str) -> InvalidArgumentError:
    try:
        lengths = [len(row) for row in value]
    except Exception:
        return InvalidArgumentError(f"{what} can't be read as numbers: {shown(value)}.")
    odd = next((row for row, length in enumerate(lengths) if length != lengths[0]), None)
    if odd is None:
        return InvalidArgumentError(f"{what} can't be read as an array of shape (n, d): {shown(value)}.")
    return InvalidDimensionError(
        f"{what} must all have one dimension, but {what}[0] has {lengths[0]} numbers "
        f"and {what}[{odd}] has {lengths[odd]}."
    )


def _not_numbers(value: Any, array: npt.NDArray[Any], what: str) -> str:
    if array.dtype.kind == "O" and array.ndim == 1:
        missing = next((row for row, item in enumerate(array) if item is None), None)
        if missing is not None:
            return f"{what}[{missing}] is None; every record needs an embedding."
    return f"{what} must hold numbers only, but it reads as {array.dtype}: {shown(value)}."


_BOOLS: Final = frozenset((bool, np.bool_))


def _refuse_booleans(value: Sequence[Any], array: npt.NDArray[Any], what: str) -> None:
    """Looks for True and False: numpy reads True beside numbers as 1; only where a 0 or a 1 stands can there have
    been a bool.
    """
    suspicious = (array == 0) | (array == 1)
    if not suspicious.any():
        return
    if array.ndim == 2:
        # A look at a row's types is much quicker than one at each number of it.
        rows = np.flatnonzero(suspicious.any(axis=1)).tolist()
        suspicious[[row for row in rows if _BOOLS.isdisjoint(map(type, value[row]))]] = False
    for place in np.argwhere(suspicious):
        item: Any = value
        for index in place:
            item = item[index]
            if isinstance(item, np.ndarray):
                break
        if isinstance(item, bool) or (isinstance(item, (np.ndarray, np.bool_)) and item.dtype.kind == "b"):
            where = "".join(f"[{index}]" for index in place)
            raise InvalidArgumentError(f"{what}{where} is a bool, not a number.")


def _refuse_infinite(floats: Matrix, given: npt.NDArray[Any], what: str) -> None:
    if is_finite(floats) if len(floats) == 1 else all(map(is_finite, pieces(floats))):
        return
    row, column = np.argwhere(~np.isfinite(floats))[0]
    raise InvalidArgumentError(
        f"{what}[{row}][{column}] is {given[row, column]}; embeddings hold finite numbers that fit into a float32."
    )
