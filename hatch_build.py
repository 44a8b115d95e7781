"""Compiles `chroma_plugin.compiled`. Without a compiler, or with CHROMA_PLUGIN_NO_EXTENSIONS in the environment, the
wheel is pure Python, and what it does takes longer.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("chroma_plugin", "compiled")
LIMITED_API = "0x030B0000"
"""One build serves all versions of Python from this one on."""
FLAGS = ["-O3", "-std=c11", "-ffp-contract=fast", "-fno-math-errno", "-Wall", "-Wextra"]


class Compiled(BuildHookInterface):
    """Adds the module to a wheel; for an editable install it is put beside its sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="chroma-plugin-"))
        # Free-threaded Python has no limited API yet, and what is compiled relies on Python's lock.
        if os.environ.get("CHROMA_PLUGIN_NO_EXTENSIONS") or sysconfig.get_config_var("Py_GIL_DISABLED"):
            return
        module = compiled(Path(self.root), self._place)
        if not module.exists():
            self.app.display_warning("Nothing is compiled: searches and reads take about twice as long.")
            return
        target = SOURCES / module.name
        if version == "editable":
            put(module, Path(self.root, target))
        else:
            build_data["force_include"][str(module)] = target.as_posix()
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._place, ignore_errors=True)


def compiled(root: Path, place: Path) -> Path:
    """The module, built now in that place; it is not there when that was impossible."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extension = Extension(
        "chroma_plugin.compiled._native",
        sources=[str(path) for path in sorted((root / SOURCES).glob("*.c"))],
        define_macros=[("Py_LIMITED_API", LIMITED_API)],
        py_limited_api=True,
        optional=True,
        extra_compile_args=FLAGS if sys.platform != "win32" else ["/O2", "/std:c11"],
    )
    command = build_ext(Distribution({"ext_modules": [extension]}))
    command.build_temp, command.build_lib = str(place / "objects"), str(place)
    command.ensure_finalized()
    command.run()
    return place / command.get_ext_filename(extension.name)


def put(module: Path, target: Path) -> None:
    """At once: somebody may be about to import it."""
    copied = Path(shutil.copy(module, f"{target}.new"))
    os.replace(copied, target)
