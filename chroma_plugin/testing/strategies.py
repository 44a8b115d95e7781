"""Hypothesis strategies for records and for filters over them, made to hit edges.

Filters are drawn *for* given records: their operands are the stored values, their neighbours (one more, one less, the
same number as a float, the same text in capitals) and lookalikes of another type, because uniform random operands
nearly never match::

    records = data.draw(strategies.records(dimension=3))
    where = data.draw(strategies.wheres_for(records))
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from chroma_plugin.filters.ast import (
    DOCUMENT,
    ID,
    And,
    Compare,
    Contains,
    Exists,
    Expr,
    In,
    Not,
    Op,
    Or,
    Path,
    Regex,
    Scalar,
)
from chroma_plugin.types import Matrix, Metadata, Records

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1

KEYS = ("a", "b", "a.b", "it's", 'say "x"', "ключ 🔑", "a\\b", "%_")
"""Metadata keys: plain ones, one that looks like a path, quotes, other alphabets, what LIKE would trip over."""

EDGE_NUMBERS: tuple[int | float, ...] = (
    0,
    1,
    -1,
    -0.0,
    1.0,
    1.5,
    -1.5,
    2**53 - 1,
    2**53,
    2**53 + 1,
    float(2**53),
    -(2**53) - 1,
    INT64_MIN,
    INT64_MAX,
    float(2**63),
    5e-324,
    1e308,
)
EDGE_TEXTS = (
    "",
    "a",
    "A",
    "1",
    "true",
    "None",
    "a%b",
    "a_b",
    "it's",
    '"',
    "\\",
    "\x00",
    "é",
    "e\u0301",
    "日本",
    "\uffff",
    "🔑",
)

_ORDERINGS = (Op.GT, Op.GE, Op.LT, Op.LE)


def ids() -> st.SearchStrategy[str]:
    """Non-empty ids, mostly short, sometimes any text."""
    return st.text("ab'\"é🔑", min_size=1, max_size=3) | st.text(min_size=1, max_size=8)


def documents() -> st.SearchStrategy[str | None]:
    """A document or None; short words over a small alphabet, so that substrings are found."""
    return st.none() | st.text("ab AB%_é\n", max_size=6) | st.sampled_from(EDGE_TEXTS) | st.text(max_size=10)


def scalars() -> st.SearchStrategy[Scalar]:
    """Every scalar that metadata may hold, the edges often."""
    numbers = st.integers(-3, 3) | st.integers(INT64_MIN, INT64_MAX) | st.floats(allow_nan=False, allow_infinity=False)
    texts = st.sampled_from(EDGE_TEXTS) | st.text(max_size=5)
    return st.none() | st.booleans() | st.sampled_from(EDGE_NUMBERS) | numbers | texts


def metadata_values() -> st.SearchStrategy[Any]:
    """Scalars, and lists and dicts of them."""
    return st.recursive(
        scalars(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, min_size=1, max_size=2)
        ),
        max_leaves=4,
    )


def metadatas() -> st.SearchStrategy[Metadata | None]:
    """None, or metadata with at least one of `KEYS` (so that records share keys)."""
    return st.none() | st.dictionaries(st.sampled_from(KEYS), metadata_values(), min_size=1, max_size=4)


def embeddings(count: int, dimension: int) -> st.SearchStrategy[Matrix]:
    """Finite float32 rows; from small whole numbers, so that distances tie, or from the whole range of -100 to 100."""
    number = st.integers(-2, 2).map(float) | st.floats(-100, 100, width=32, allow_subnormal=False)
    rows = st.lists(st.lists(number, min_size=dimension, max_size=dimension), min_size=count, max_size=count)
    return rows.map(lambda table: np.array(table, dtype=np.float32).reshape(count, dimension))


@st.composite
def records(draw: st.DrawFn, dimension: int, *, min_size: int = 0, max_size: int = 8) -> Records:
    """Records with distinct ids, embeddings, documents and metadatas; uris are None."""
    names = draw(st.lists(ids(), unique=True, min_size=min_size, max_size=max_size))
    count = len(names)
    return Records(
        ids=names,
        embeddings=draw(embeddings(count, dimension)),
        documents=draw(st.lists(documents(), min_size=count, max_size=count)),
        metadatas=draw(st.lists(metadatas(), min_size=count, max_size=count)),
    )


def wheres_for(records: Records) -> st.SearchStrategy[dict[str, Any]]:
    """``where`` dicts in all forms (bare value, several operators, several keys, ``$and $or $not``), never empty."""
    fields = st.sampled_from([field for field in _fields(records) if len(field.path.parts) < 2])
    return st.recursive(fields.flatmap(_field_dicts), _dict_branches, max_leaves=5)


def where_documents_for(records: Records) -> st.SearchStrategy[dict[str, Any]]:
    """``where_document`` dicts with ``$contains $not_contains $regex $not_regex $and $or $not``, never empty."""
    field = next(field for field in _fields(records) if field.path == DOCUMENT)
    contains = st.tuples(st.sampled_from(("$contains", "$not_contains")), _needles(field).filter(bool))
    regex = st.tuples(st.sampled_from(("$regex", "$not_regex")), _patterns(field))
    return st.recursive((contains | regex).map(lambda pair: dict([pair])), _dict_branches, max_leaves=4)


def exprs_for(records: Records) -> st.SearchStrategy[Expr]:
    """Expressions of every node, also with nested paths and with empty And and Or."""
    leaf = st.sampled_from(_fields(records)).flatmap(_leaves)
    return st.recursive(leaf, _expr_branches, max_leaves=6)


@dataclass(frozen=True)
class _Field:
    """A place that a filter can name, and the values that stand there in the records."""

    path: Path
    stored: tuple[Any, ...]

    @property
    def texts(self) -> list[str]:
        return [text for value in self.stored for text in _flat(value) if isinstance(text, str)]


def _fields(records: Records) -> list[_Field]:
    stored: dict[Path, list[Any]] = {Path((key,)): [] for key in KEYS}
    stored |= {DOCUMENT: list(records.documents or ()), ID: list(records.ids)}
    for metadata in records.metadatas or ():
        for parts, value in _walk(metadata or {}):
            stored.setdefault(Path(parts), []).append(value)
    return [_Field(path, tuple(values)) for path, values in stored.items()]


def _walk(metadata: Metadata, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in metadata.items():
        parts = (*above, key)
        yield parts, value
        if isinstance(value, dict):
            yield from _walk(value, parts)


def _flat(value: Any) -> list[Any]:
    """The scalars that an operand can be taken from."""
    if isinstance(value, dict):
        return []
    return (
        [element for element in value if not isinstance(element, (list, dict))] if isinstance(value, list) else [value]
    )


def _neighbours(value: Scalar) -> list[Scalar]:
    """The value, what lies beside it, and what only looks like it."""
    near: list[Scalar] = [value, str(value)]
    if isinstance(value, bool):
        near += [not value, int(value), float(value)]
    elif isinstance(value, int):
        near += [value - 1, value + 1, float(value), value + 0.5, bool(value)]
    elif isinstance(value, float):
        near += [
            math.nextafter(value, -math.inf),
            math.nextafter(value, math.inf),
            int(value),
            int(value) + 1,
            bool(value),
        ]
    elif isinstance(value, str):
        near += [value[1:], value[:-1], value + "a", value.upper(), value.lower()]
    else:
        near += [0, "", False]
    return [candidate for candidate in near if _storable(candidate)]


def _storable(value: Scalar) -> bool:
    if isinstance(value, int):
        return INT64_MIN <= value <= INT64_MAX
    if isinstance(value, float):
        return math.isfinite(value)
    return True


def _operands(field: _Field) -> st.SearchStrategy[Scalar]:
    """Operands for ``$eq``, ``$ne`` and ``$in``; ids are compared with str, documents with str or None."""
    near = [near for value in field.stored for scalar in _flat(value) for near in _neighbours(scalar)]
    drawn: st.SearchStrategy[Scalar] = st.sampled_from(near) | scalars() if near else scalars()
    if field.path == ID:
        return drawn.filter(lambda value: isinstance(value, str))
    if field.path == DOCUMENT:
        return drawn.filter(lambda value: value is None or isinstance(value, str))
    return drawn


def _orderable(field: _Field) -> st.SearchStrategy[Scalar]:
    return _operands(field).filter(lambda value: value is not None and not isinstance(value, bool))


def _needles(field: _Field) -> st.SearchStrategy[str]:
    """Texts to look for: parts of stored ones, and others."""
    parts = [part for text in field.texts for part in (text, text[1:], text[:1], text[1:2], text.upper())]
    return (st.sampled_from(parts) if parts else st.nothing()) | st.sampled_from(EDGE_TEXTS)


def _containable(field: _Field) -> st.SearchStrategy[Scalar]:
    if field.path in (DOCUMENT, ID):
        return _needles(field).filter(bool)
    return _needles(field) | _operands(field)


def _patterns(field: _Field) -> st.SearchStrategy[str]:
    shapes = st.sampled_from(("{}", "^{}", "{}$", "(?i){}", "(?:{})+$", "[^a]{}", ".{}", "{}|b"))
    return st.builds(lambda shape, text: str(shape).replace("{}", re.escape(text)), shapes, _needles(field))


def _conditions(field: _Field) -> st.SearchStrategy[tuple[str, Any]]:
    """Pairs of an operator's name and a fitting operand."""
    operands = _operands(field)
    choices = [
        st.tuples(st.sampled_from(("$eq", "$ne")), operands),
        st.tuples(st.sampled_from([op.value for op in _ORDERINGS]), _orderable(field)),
        st.tuples(st.sampled_from(("$in", "$nin")), st.lists(operands, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(("$contains", "$not_contains")), _containable(field)),
        st.tuples(st.sampled_from(("$regex", "$not_regex")), _patterns(field)),
    ]
    if field.path != ID:
        choices.append(st.tuples(st.just("$exists"), st.booleans()))
    return st.one_of(choices)


def _field_dicts(field: _Field) -> st.SearchStrategy[dict[str, Any]]:
    key = str(field.path)
    bare = _operands(field).map(lambda value: {key: value})
    one = _conditions(field).map(lambda pair: {key: dict([pair])})
    several = st.lists(_conditions(field), min_size=2, max_size=3).map(lambda pairs: {key: dict(pairs)})
    return bare | one | several


def _merged(dicts: list[dict[str, Any]]) -> dict[str, Any]:
    return {key: value for where in dicts for key, value in where.items()}


def _dict_branches(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    branch = st.tuples(st.sampled_from(("$and", "$or")), st.lists(inner, min_size=1, max_size=3))
    several_keys = st.lists(inner, min_size=2, max_size=3).map(_merged)
    return branch.map(lambda pair: dict([pair])) | several_keys | inner.map(lambda where: {"$not": where})


def _leaves(field: _Field) -> st.SearchStrategy[Expr]:
    path, operands = st.just(field.path), _operands(field)
    choices: list[st.SearchStrategy[Expr]] = [
        st.builds(Compare, path, st.sampled_from((Op.EQ, Op.NE)), operands),
        st.builds(Compare, path, st.sampled_from(_ORDERINGS), _orderable(field)),
        st.builds(In, path, st.lists(operands, min_size=1, max_size=3).map(tuple)),
        st.builds(Contains, path, _containable(field)),
        st.builds(Regex, path, _patterns(field)),
    ]
    if field.path != ID:
        choices.append(st.builds(Exists, path))
    return st.one_of(choices)


def _expr_branches(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    operands = st.lists(inner, max_size=3).map(tuple)
    return st.builds(And, operands) | st.builds(Or, operands) | st.builds(Not, inner)
