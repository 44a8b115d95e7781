"""``where`` and ``where_document`` as one expression."""

from __future__ import annotations

from typing import Any

from chroma_plugin.filters.ast import Expr


def filter_of(where: Any, where_document: Any = None) -> Expr | None:
    """The filter, or None when both are left out or empty."""
    if where is None and where_document is None:
        return None
    from chroma_plugin.filters import parse_where

    return parse_where(where, where_document=where_document)
