"""Filters: one meaning (`ast`), read from dicts (`parse`) or written as expressions (`keys`), run by many engines.

- `parse_where` makes one checked `Expr` of ``where`` and ``where_document``; `Key` writes one in Python.
- `compile_filter`, `batch_filter` and `keep` run it over plain records: the reference meaning.
- `kind_of`, `equal`, `comparable` and `less` are for engines that compare values themselves; `compile_regex` is the
  linear-time regular expression.
"""

from __future__ import annotations

from chroma_plugin.filters.ast import (
    DOCUMENT,
    ID,
    And,
    Compare,
    Contains,
    Exists,
    Expr,
    In,
    Leaf,
    Not,
    Op,
    Or,
    Path,
    Regex,
    Scalar,
    conjunction,
    conjuncts,
    leaves,
)
from chroma_plugin.filters.compare import MISSING, Kind, comparable, equal, kind_of, less
from chroma_plugin.filters.keys import K, Key
from chroma_plugin.filters.parse import parse_where
from chroma_plugin.filters.python import Predicate, batch_filter, compile_filter, keep, needed_fields
from chroma_plugin.filters.regex import compile_regex

__all__ = [
    "DOCUMENT",
    "ID",
    "MISSING",
    "And",
    "Compare",
    "Contains",
    "Exists",
    "Expr",
    "In",
    "K",
    "Key",
    "Kind",
    "Leaf",
    "Not",
    "Op",
    "Or",
    "Path",
    "Predicate",
    "Regex",
    "Scalar",
    "batch_filter",
    "comparable",
    "compile_filter",
    "compile_regex",
    "conjunction",
    "conjuncts",
    "equal",
    "keep",
    "kind_of",
    "leaves",
    "less",
    "needed_fields",
    "parse_where",
]
