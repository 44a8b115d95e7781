"""A filter as a Milvus expression over tokens and numbers: hashes, doubles and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from chroma_plugin.backend import Pushdown
from chroma_plugin.errors import InternalError
from chroma_plugin.filters import DOCUMENT, ID, And, Compare, Contains, Exists, Expr, In, Leaf, Not, Op, Or, Scalar
from chroma_plugin.filters.ast import leaves
from chroma_plugin_milvus import tokens

EVERYTHING: Final = "place >= 0"
NOTHING: Final = "place < 0"

MOST_VALUES: Final = 1_000
"""Of one `In`, or in one filter: beyond, an expression would grow past what a server parses in good time."""

_SIGN: Final = {Op.GT: ">", Op.GE: ">=", Op.LT: "<", Op.LE: "<="}
_OPPOSITE: Final = {Op.GT: Op.LE, Op.GE: Op.LT, Op.LT: Op.GE, Op.LE: Op.GT}


def takes(part: Expr) -> Pushdown:
    """EXACT for equality, membership, presence and the order of numbers; NO for documents, patterns and the order of
    texts.
    """
    values = 0
    for leaf in leaves(part):
        values += len(leaf.values) if isinstance(leaf, In) else 1
        if values > MOST_VALUES or not _expressible(leaf):
            return Pushdown.NO
    return Pushdown.EXACT


def expression(where: Expr | None) -> str:
    """The expression for a filter that `takes` calls EXACT."""
    return EVERYTHING if where is None else _branch(where, wanted=True)


def keys_in(ids: Iterable[str]) -> str:
    """The records with these ids."""
    return f"key in {_list(map(tokens.key, ids))}"


def _expressible(leaf: Leaf) -> bool:
    if leaf.path == DOCUMENT:
        return False
    if leaf.path == ID:
        return isinstance(leaf, (In, Exists)) or (isinstance(leaf, Compare) and leaf.op in (Op.EQ, Op.NE))
    match leaf:
        case Compare(op=Op.EQ | Op.NE) | In() | Exists():
            return True
        case Compare(value=int() | float() as value):
            return not isinstance(value, bool) and abs(value) < tokens.ORDERED
        case Contains(value=value):
            return not isinstance(value, str)  # of a str it could be a part
        case _:
            return False


def _branch(node: Expr, *, wanted: bool) -> str:
    """Negation is carried down to the leaves, so that Milvus never negates what a record does not have."""
    match node:
        case Not(operand):
            return _branch(operand, wanted=not wanted)
        case And(operands):
            return _joined("and" if wanted else "or", [_branch(inner, wanted=wanted) for inner in operands])
        case Or(operands):
            return _joined("or" if wanted else "and", [_branch(inner, wanted=wanted) for inner in operands])
        case Compare(path, Op.NE, value):
            return _equal(Compare(path, Op.EQ, value), wanted=not wanted)
        case Compare(op=Op.EQ) | In() | Exists() | Contains():
            return _equal(node, wanted=wanted)
        case Compare():
            return _ordered(node, wanted=wanted)
    raise InternalError(f"{node!r} reached Milvus though `takes` refuses it.")


def _joined(word: str, parts: Sequence[str]) -> str:
    if not parts:
        return EVERYTHING if word == "and" else NOTHING
    return parts[0] if len(parts) == 1 else "(" + f" {word} ".join(parts) + ")"


def _equal(leaf: Leaf, *, wanted: bool) -> str:
    if leaf.path == ID:
        return _ids(leaf, wanted=wanted)
    parts = leaf.path.parts
    match leaf:
        case Exists():
            return _any([tokens.exists(parts)], wanted=wanted)
        case Contains(value=value):
            return _any([tokens.has(parts, value)], wanted=wanted)
        case In(values=values):
            return _one_of(parts, values, wanted=wanted)
        case Compare(value=value):
            return _one_of(parts, (value,), wanted=wanted)
    raise InternalError(f"{leaf!r} is no equality.")


def _one_of(parts: tuple[str, ...], values: Sequence[Scalar], *, wanted: bool) -> str:
    found = _any([tokens.equals(parts, value) for value in values], wanted=wanted)
    if None not in values:
        return found
    missing = _any([tokens.exists(parts)], wanted=not wanted)  # a missing field equals None
    return _joined("or" if wanted else "and", [found, missing])


def _any(among: Sequence[str], *, wanted: bool) -> str:
    if not among:
        return NOTHING if wanted else EVERYTHING
    return ("" if wanted else "not ") + f"array_contains_any(tokens, {_list(among)})"


def _ids(leaf: Leaf, *, wanted: bool) -> str:
    if isinstance(leaf, Exists):
        return EVERYTHING if wanted else NOTHING
    values = leaf.values if isinstance(leaf, In) else (leaf.value,) if isinstance(leaf, Compare) else ()
    keys = [tokens.key(value) for value in values if isinstance(value, str)]
    if not keys:
        return NOTHING if wanted else EVERYTHING
    return f"key {'in' if wanted else 'not in'} {_list(keys)}"


def _ordered(leaf: Compare, *, wanted: bool) -> str:
    name = tokens.number(leaf.path.parts)
    op = leaf.op if wanted else _OPPOSITE[leaf.op]
    assert isinstance(leaf.value, (int, float))
    order = f'numbers["{name}"] {_SIGN[op]} {float(leaf.value)!r}'
    if wanted:
        return _joined("and", [_any([name], wanted=True), order])
    return _joined("or", [_any([name], wanted=False), order])


def _list(hashes: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{one}"' for one in hashes) + "]"
