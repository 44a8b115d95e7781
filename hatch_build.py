"""Compiles `chroma_plugin.compiled`. Without a compiler, or with CHROMA_PLUGIN_NO_EXTENSIONS in the environment, the
wheel is pure Python, and what it does takes longer.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCES = Path("chroma_plugin", "compiled")
LIMITED_API = "0x030B0000"
"""One build serves all versions from this one on."""


class Compiled(BuildHookInterface):
    """Puts the module beside its sources, for an editable install and for a wheel alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # Free-threaded Python has no limited API yet, and what is compiled relies on Python's lock.
        if os.environ.get("CHROMA_PLUGIN_NO_EXTENSIONS") or sysconfig.get_config_var("Py_GIL_DISABLED"):
            return
        from setuptools.errors import BaseError

        try:
            module = compiled(Path(self.root))
        except BaseError as error:
            self.app.display_warning(f"Nothing is compiled; searches take longer: {error}")
            return
        build_data["pure_python"] = False
        build_data["artifacts"].append(module.relative_to(self.root).as_posix())
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def compiled(root: Path) -> Path:
    """The module, built now. Raises an error of setuptools when that is impossible."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    for old in (root / SOURCES).glob("_native.*"):
        if old.suffix in (".so", ".pyd"):
            old.unlink()
    unix = sys.platform != "win32"
    extension = Extension(
        "chroma_plugin.compiled._native",
        sources=[str(path) for path in sorted((root / SOURCES).glob("*.c"))],
        depends=[str(path) for path in (root / SOURCES).glob("*.h")],
        define_macros=[("Py_LIMITED_API", LIMITED_API)],
        py_limited_api=True,
        extra_compile_args=["-O3", "-std=c11", "-ffp-contract=fast", "-fno-math-errno", "-Wall", "-Wextra"]
        if unix
        else ["/O2", "/std:c11"],
    )
    command = build_ext(Distribution({"ext_modules": [extension]}))
    with tempfile.TemporaryDirectory() as temporary:
        command.build_temp, command.build_lib = temporary, str(root)
        command.ensure_finalized()
        command.run()
    return root / command.get_ext_filename(extension.name)
