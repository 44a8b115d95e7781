"""``Key``: filters written as Python expressions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from chroma_plugin.filters.ast import DOCUMENT, ID, Expr, Path
from chroma_plugin.filters.build import field_filter, field_path


class Key:
    """A field to compare; what a comparison gives is a filter, to be combined with ``&``, ``|`` and ``~``.

    ::

        (Key("year") >= 2020) & ~Key("tags").contains("draft")
        Key("author", "name") == "Ada"        # nested metadata: {"author": {"name": "Ada"}}
        Key.DOCUMENT.regex("(?i)chroma") | Key.ID.is_in(["a", "b"])

    A key is taken literally, dots included; several keys walk into nested dicts. Operands are checked as in a ``where``
    dict: InvalidArgumentError for a wrong one.
    """

    __slots__ = ("path",)

    ID: ClassVar[Key]
    DOCUMENT: ClassVar[Key]

    path: Final[Path]

    def __init__(self, *parts: str) -> None:
        self.path = field_path(parts)

    def __repr__(self) -> str:
        parts = self.path.parts or (self.path.special,)
        return f"Key({', '.join(map(repr, parts))})"

    # Comparing makes a filter and does not compare, so a Key can't be in a set or a dict.
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, value: object) -> Expr:  # type: ignore[override]
        return field_filter(self.path, "$eq", value)

    def __ne__(self, value: object) -> Expr:  # type: ignore[override]
        return field_filter(self.path, "$ne", value)

    def __gt__(self, value: object) -> Expr:
        return field_filter(self.path, "$gt", value)

    def __ge__(self, value: object) -> Expr:
        return field_filter(self.path, "$gte", value)

    def __lt__(self, value: object) -> Expr:
        return field_filter(self.path, "$lt", value)

    def __le__(self, value: object) -> Expr:
        return field_filter(self.path, "$lte", value)

    def is_in(self, values: Iterable[object]) -> Expr:
        """Equal to one of the values, a list of one or more."""
        return field_filter(self.path, "$in", values)

    def not_in(self, values: Iterable[object]) -> Expr:
        """Equal to none of the values; also matches where the field is missing."""
        return field_filter(self.path, "$nin", values)

    def contains(self, value: object) -> Expr:
        """A list with this element, or a str with this substring."""
        return field_filter(self.path, "$contains", value)

    def not_contains(self, value: object) -> Expr:
        """The opposite of `contains`; also matches where the field is missing."""
        return field_filter(self.path, "$not_contains", value)

    def regex(self, pattern: str) -> Expr:
        """A str in which the pattern (RE2 syntax) is found."""
        return field_filter(self.path, "$regex", pattern)

    def not_regex(self, pattern: str) -> Expr:
        """The opposite of `regex`; also matches where the field is missing."""
        return field_filter(self.path, "$not_regex", pattern)

    def exists(self) -> Expr:
        """The key is there, even if its value is None; for the document: there is one."""
        return field_filter(self.path, "$exists", True)


Key.ID = Key(ID.special)
Key.DOCUMENT = Key(DOCUMENT.special)

K = Key
"""The short name that Chroma has for it."""
