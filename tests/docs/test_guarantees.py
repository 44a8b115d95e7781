"""Every promise on the page of guarantees names tests that hold it, and they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
PROMISES = [part for part in re.split(r"^(?=- \*\*|## )", PAGE, flags=re.MULTILINE) if part.startswith("- **")]
HELD_BY = re.compile(r"\[`(\w+)`\]\(\.\./([^)#]+\.py)\)")


def test_there_are_promises() -> None:
    assert len(PROMISES) > 20


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.splitlines()[0][4:50])
def test_a_promise_is_held_by_tests(promise: str) -> None:
    """Each names at least one, by its function or class and the file that has it."""
    links = HELD_BY.findall(promise)
    assert links, f"Nothing holds this promise: {promise}"
    for name, path in links:
        assert name in _defined(ROOT / path), f"{path} has no {name}"


def _defined(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text()))
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
