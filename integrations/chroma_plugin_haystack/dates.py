"""Dates in filters: what is one, how two are compared, and which texts can be near one."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any, Final

_LOOKS_LIKE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ]|$)")
FIRST: Final = "0"
"""Not after any date as text."""
PAST_ALL: Final = ":"
"""After every date as text, and before every letter."""
_REACH: Final = timedelta(days=2)
"""In two time zones, each less than 24 hours from UTC, one moment has dates at most so far apart."""


def as_date(value: Any) -> datetime | None:
    """A datetime, a date (its midnight), or ISO 8601 text that begins with YYYY-MM-DD; None for anything else."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if not isinstance(value, str) or not _LOOKS_LIKE.match(value):
        return None
    return parsed(value)


def parsed(text: str) -> datetime | None:
    """ISO 8601 in any spelling that Python reads, or None."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def aligned(one: datetime, other: datetime, *, strict: bool) -> tuple[datetime, datetime] | None:
    """The two, ready to be compared. Where only one has a time zone the other gets it, or with ``strict`` the two can't
    be compared.
    """
    if (one.tzinfo is None) == (other.tzinfo is None):
        return one, other
    if strict:
        return None
    if one.tzinfo is None:
        return one.replace(tzinfo=other.tzinfo), other
    return one, other.replace(tzinfo=one.tzinfo)


def texts_from(moment: datetime) -> str:
    """No text of this moment or a later one is smaller."""
    try:
        return (moment.replace(tzinfo=None) - _REACH).date().isoformat()
    except OverflowError:
        return FIRST


def texts_until(moment: datetime) -> str:
    """Every text of this moment or an earlier one is smaller."""
    try:
        return (moment.replace(tzinfo=None) + _REACH + timedelta(days=1)).date().isoformat()
    except OverflowError:
        return PAST_ALL
