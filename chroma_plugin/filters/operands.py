"""What the operand of an operator may be: checked, and made plain Python; errors name the operator and the key."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from chroma_plugin import wording
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters.ast import DOCUMENT, ID, Path, Scalar
from chroma_plugin.frozen import frozen

MAX_VALUES: Final = 1_000_000
"""Values that the ``$in`` and ``$nin`` of one filter may hold together: the ids of a large collection still pass, and
the sets built from them stay in the hundreds of megabytes."""

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1


@frozen
class Place:
    """Where an operand stands: all that an error says about it."""

    path: Path
    operator: str

    def refusal(self, reason: str) -> InvalidArgumentError:
        return InvalidArgumentError(f"{self.operator[:100]} on {shown(str(self.path))}: {reason}")


def scalar(place: Place, value: object) -> Scalar:
    """The operand as exactly str, int, float, bool or None; numpy scalars become their Python equal."""
    plain = _plain(place, value)
    if place.path == ID and not isinstance(plain, str):
        raise place.refusal(f"ids are compared with a str, got {shown(plain)}.")
    if place.path == DOCUMENT and not (plain is None or isinstance(plain, str)):
        raise place.refusal(f"documents are compared with a str (or None: no document), got {shown(plain)}.")
    return plain


def ordered(place: Place, value: object) -> Scalar:
    """An operand that has an order: a number or a str."""
    plain = scalar(place, value)
    if plain is None or isinstance(plain, bool):
        raise place.refusal(f"only numbers and str are ordered, got {shown(plain)}.")
    return plain


def several(place: Place, values: object) -> tuple[Scalar, ...]:
    """The operands of ``$in``; their types may be mixed, because types never coerce."""
    if isinstance(values, np.ndarray) and values.ndim == 1:
        values = values.tolist()
    if not isinstance(values, (list, tuple, set, frozenset)):
        raise place.refusal(f"expected a list of values, got {shown(values)}.")
    if not values:
        raise place.refusal("the list of values is empty.")
    if len(values) > MAX_VALUES:
        raise place.refusal(f"at most {MAX_VALUES:,} values are possible, got {len(values):,}.")
    return tuple([scalar(place, value) for value in values])


def contained(place: Place, value: object) -> Scalar:
    """The operand of ``$contains``: an element of a list, or a substring."""
    plain = scalar(place, value)
    if place.path in (DOCUMENT, ID) and not plain:
        raise place.refusal(f"expected a non-empty str, got {shown(plain)}.")
    return plain


def text(place: Place, value: object) -> str:
    """A str that can be written as UTF-8."""
    plain = _plain(place, value)
    if not isinstance(plain, str):
        raise place.refusal(f"expected a str, got {shown(value)}.")
    return plain


def flag(place: Place, value: object) -> bool:
    """True or False, and nothing that only looks like it."""
    plain = _plain(place, value)
    if not isinstance(plain, bool):
        raise place.refusal(f"expected True or False, got {shown(value)}.")
    return plain


def python_scalar(value: object) -> object:
    """A numpy bool, number or str as its Python equal; anything else as it is. A numpy date is no number, though its
    ``item()`` may be one.
    """
    return value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufU" else value


def _plain(place: Place, value: object) -> Scalar:
    value = python_scalar(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _str(place, value)
    if isinstance(value, int):
        return _int(place, value)
    if isinstance(value, float):
        return _float(place, value)
    raise place.refusal(f"expected a str, int, float, bool or None, got {shown(value)}.{_advice(place, value)}")


def _str(place: Place, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise place.refusal(f"{shown(value)} holds a lone surrogate, which is not text.") from error
    return str.__str__(value)


def _int(place: Place, value: int) -> int:
    if not _INT64_MIN <= value <= _INT64_MAX:
        raise place.refusal(f"integers are of 64 bit, got one of {value.bit_length()} bit. Use a float or a str.")
    return int(value)


def _float(place: Place, value: float) -> float:
    if not math.isfinite(value):
        raise place.refusal(f"numbers must be finite, got {shown(value)}.")
    return float(value)


def _advice(place: Place, value: object) -> str:
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)) and place.operator == "$eq":
        return " To match one of several values use $in; for an element of a list, $contains."
    if isinstance(value, dict):
        return ' To look into nested metadata use Key("outer", "inner").'
    return ""


def shown(value: object) -> str:
    """A value as errors quote it: its repr, cut, with the type where the repr does not tell it."""
    quoted = wording.shown(value)
    return (
        quoted if isinstance(value, (str, int, float, list, dict, type(None))) else f"{quoted} ({type(value).__name__})"
    )
