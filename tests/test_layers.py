"""The arrows of the house point one way: a part imports only parts that stand below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A part may import its own modules and everything on a floor below its own.
FLOORS = [
    {"version", "errors", "frozen", "compiled"},
    {"wording", "filters.ast", "greenlets"},
    {"filters"},
    {"types"},
    {"coerce", "distances", "waiting"},
    {"ranking"},
    {"fallback"},
    {"backend", "repairing"},
    {"plugins"},
    {"embedding_functions", "config"},
    {"requests", "toolkit"},
    {"sessions"},
    {"operations"},
    {"transactions"},
    {"api", "utils"},
    {"parquet", "copying"},
    {"backups"},
    {"server", "testing"},
    {"cli"},
]
FLOOR_OF = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}
"""The core must run without these: they are imported where they are used."""
HEAVY = {"duckdb", "hnswlib", "tokenizers", "safetensors", "tqdm", "re2", "typer", "rich", "pytest", "hypothesis"} | {
    "bm25s",
    "httpx",
    "greenlet",
    "psycopg",
    "psycopg_pool",
    "starlette",
    "uvicorn",
    "pymilvus",
    "milvus_lite",
    "grpc",
}
MAY_IMPORT = {
    "cli": {"typer", "rich"},
    "testing": {"pytest", "hypothesis"},
    "server": {"starlette", "uvicorn"},
    "greenlets.py": {"greenlet"},
    "parquet": {"duckdb"},
    "backends/chroma_plugin_rest": {"httpx"},
    "backends/chroma_plugin_duckdb": {"duckdb"},
    "backends/chroma_plugin_pgvector": {"psycopg", "psycopg_pool"},
    "backends/chroma_plugin_milvus": {"pymilvus", "grpc"},
}


def imports(file: Path) -> Iterator[str]:
    """What a module imports when it is imported: not inside functions, not under TYPE_CHECKING."""
    pending: list[ast.AST] = [ast.parse(file.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            pending.extend(ast.iter_child_nodes(node))


def part_of(module: str) -> str:
    """The part a module of the core belongs to; empty for the package itself."""
    name = module.removeprefix("chroma_plugin").removeprefix(".")
    return name if name in FLOOR_OF else name.partition(".")[0]


CORE = sorted((ROOT / "chroma_plugin").rglob("*.py"))


@pytest.mark.parametrize("file", CORE, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_core_imports_downwards(file: Path) -> None:
    """No module of the core imports a part above its own, or a backend or integration."""
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    part = part_of(module)
    for name in imports(file):
        assert not name.startswith(("chroma_plugin_",)), f"the core knows backends only by name: {name}"
        target = part_of(name) if name.startswith("chroma_plugin.") else ""
        if part and target in FLOOR_OF and target != part:
            assert FLOOR_OF[target] < FLOOR_OF[part], f"{part} imports {target}, which stands above it or beside it"


@pytest.mark.parametrize("folder", ["chroma_plugin", "backends", "integrations"])
def test_heavy_libraries_are_imported_where_they_are_used(folder: str) -> None:
    """Importing the package imports none of them."""
    for file in sorted((ROOT / folder).rglob("*.py")):
        parts = file.relative_to(ROOT).parts
        allowed = MAY_IMPORT.get(parts[1], set()) | MAY_IMPORT.get("/".join(parts[:2]), set())
        found = {name.partition(".")[0] for name in imports(file)} & HEAVY
        assert found <= allowed, f"{file.relative_to(ROOT)} imports {found - allowed}"


def test_backends_use_the_contract_and_the_toolkit() -> None:
    """A backend of ours imports nothing that a stranger's should not: no clients, no sessions, no operations."""
    for file in sorted((ROOT / "backends").rglob("*.py")):
        for name in imports(file):
            part = part_of(name) if name.startswith("chroma_plugin.") else ""
            assert part not in {"api", "operations", "sessions", "server", "cli"}, f"{file.name} imports {name}"


PUBLIC = {"chroma_plugin"} | {
    f"chroma_plugin.{part}" for part in ("embedding_functions", "errors", "filters", "plugins", "ranking")
}


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "integrations").glob("chroma_plugin_*")))
def test_integrations_use_the_public_interface(folder: str) -> None:
    """So they work on every engine: no other integration, no backend, no inside of the core."""
    for file in sorted((ROOT / "integrations" / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name.startswith("chroma_plugin") and name.partition(".")[0] != folder:
                    assert name in PUBLIC, f"{file.relative_to(ROOT)} imports {name}"


def test_every_part_has_a_floor() -> None:
    """A new part of the core is given its place here."""
    parts = {path.stem for path in (ROOT / "chroma_plugin").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__pycache__", "py"} - {"py.typed"} <= set(FLOOR_OF)
