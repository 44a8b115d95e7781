"""The files of the template, filled in and written, all or none."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from chroma_plugin.cli.scaffold.names import Names
from chroma_plugin.errors import StorageError

_SUFFIX = ".txt"
"""So that no tool takes a template for what it will become."""


def write(names: Names, parent: Path) -> Path:
    """Make the package in a new folder of ``parent``, and return that folder. Raises StorageError when it is there."""
    folder = parent / names.distribution
    if folder.exists():
        raise StorageError(f"{str(folder)!r} is there already: nothing was written. Use --into, or another name.")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-backend-", dir=parent) as scratch:
            made = Path(scratch) / names.distribution
            for path, text in _filled(names):
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                (made / path).write_text(text, encoding="utf-8")
            made.rename(folder)
    except OSError as error:
        raise StorageError(f"Can't write to {str(parent)!r}: {error}") from error
    return folder


def _filled(names: Names) -> Iterator[tuple[str, str]]:
    values = {
        "name": names.name,
        "distribution": names.distribution,
        "module": names.module,
        "class_name": names.class_name,
    }
    for path, file in _templates(files(__package__) / "template", ""):
        text = Template(file.read_text(encoding="utf-8")).substitute(values)
        yield path.removesuffix(_SUFFIX).replace("MODULE", names.module), text


def _templates(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield f"{path}{entry.name}", entry
