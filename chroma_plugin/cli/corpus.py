"""Text that every machine has: the docstrings of Python's standard library.

The sources are parsed, never imported, so that no module's side effects run (``antigravity`` opens a browser).
"""

from __future__ import annotations

import ast
import inspect
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from chroma_plugin.frozen import frozen

SKIPPED: Final = frozenset(
    {"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages", "__pycache__", "turtledemo"}
)
"""Folders that are no library: test suites, IDLE, installed packages."""
SHORTEST: Final = 30
"""Docstrings of fewer characters say nothing to search for."""
LONGEST: Final = 160
"""Where a first paragraph is cut: embedding time grows with the length."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@frozen
class Entry:
    """One documented thing of the standard library."""

    id: str
    """The qualified name, e.g. ``zipfile:ZipFile.extract``; a module is its name alone."""
    text: str
    """Signature or name, a line break, and the first paragraph of the docstring: by convention the summary."""
    module: str
    kind: str
    """``module``, ``class``, ``function`` or ``method``."""
    length: int
    """Characters of the whole docstring."""

    @property
    def metadata(self) -> dict[str, Any]:
        return {
            "module": self.module,
            "package": self.module.partition(".")[0],
            "kind": self.kind,
            "length": self.length,
        }


def standard_library() -> Path:
    """The folder with the standard library's sources."""
    return Path(sysconfig.get_paths()["stdlib"])


def collect(root: Path | None = None) -> Iterator[Entry]:
    """Every public documented module, class, function and method of the standard library (or another ``root``).

    In the order of the files. Files that are not readable as Python source are left out.
    """
    root = standard_library() if root is None else root
    for path in _sources(root):
        tree = _parsed(path)
        if tree is not None:
            yield from _entries(tree, _module_name(path.relative_to(root)))


def _sources(root: Path) -> list[Path]:
    def public(path: Path) -> bool:
        parts = path.relative_to(root).with_suffix("").parts
        return not any(part in SKIPPED or (part.startswith("_") and part != "__init__") for part in parts)

    return sorted(path for path in root.rglob("*.py") if public(path))


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parsed(path: Path) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            # Old escapes in other people's sources are not our user's concern.
            warnings.simplefilter("ignore")
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return None


def _entries(tree: ast.Module, module: str) -> Iterator[Entry]:
    found: dict[str, Entry] = {}
    for name, kind, node in [("", "module", tree), *_definitions(tree, prefix="", kind="function")]:
        entry = _entry(module, name, kind, node)
        # A name that is defined twice (an `if` per platform, overloads) keeps its first docstring.
        if entry is not None:
            found.setdefault(entry.id, entry)
    yield from found.values()


def _definitions(
    parent: ast.Module | ast.ClassDef, prefix: str, kind: str
) -> Iterator[tuple[str, str, _Function | ast.ClassDef]]:
    for node in parent.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        name = prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield name, "class", node
            yield from _definitions(node, prefix=f"{name}.", kind="method")
        else:
            yield name, kind, node


def _entry(module: str, name: str, kind: str, node: ast.Module | ast.ClassDef | _Function) -> Entry | None:
    docstring = (ast.get_docstring(node, clean=False) or "").strip()
    if len(docstring) < SHORTEST:
        return None
    title = f"{module}.{name}{_signature(node)}" if name else module
    return Entry(
        id=f"{module}:{name}" if name else module,
        text=f"{title}\n{_shortened(docstring)}",
        module=module,
        kind=kind,
        length=len(docstring),
    )


def _signature(node: ast.Module | ast.ClassDef | _Function) -> str:
    if isinstance(node, (ast.Module, ast.ClassDef)):
        return ""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return f"({', '.join(argument.arg for argument in arguments if argument.arg not in ('self', 'cls'))})"


def _shortened(docstring: str) -> str:
    text = inspect.cleandoc(docstring).split("\n\n")[0]
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rsplit(None, 1)[0] + " …"
