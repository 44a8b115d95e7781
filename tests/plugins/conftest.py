"""Fake distributions, as pip would leave them: a dist-info folder and a module on sys.path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Install = Callable[..., Path]

GOOD = """
    from chroma_plugin.plugins import BackendSpec, EmbeddingSpec, IntegrationSpec, hookimpl

    @hookimpl
    def register_backends():
        return [BackendSpec(name="{name}", open="{name}_engine:open", options="{name}_engine:Options")]
"""
"""The module of a plug-in with one backend; ``{name}`` is to be filled in."""

HEADER = """
    from chroma_plugin.plugins import BackendSpec, EmbeddingSpec, IntegrationSpec, hookimpl
"""


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the switches of the person who runs it."""
    for switch in ("CHROMA_PLUGIN_DISABLE", "CHROMA_PLUGIN_TRACE"):
        monkeypatch.delenv(switch, raising=False)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install("dist-name", {"entry": "module"}, module="source", ...)`` installs a distribution, version 1.0."""
    before = set(sys.modules)

    def install(distribution: str, points: dict[str, str], *, version: str = "1.0", **modules: str) -> Path:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = "".join(f"{name} = {target}\n" for name, target in points.items())
        info.joinpath("entry_points.txt").write_text(f"[chroma_plugin]\n{lines}")
        for module, source in modules.items():
            site.joinpath(f"{module}.py").write_text(dedent(source))
        monkeypatch.syspath_prepend(str(site))
        return site

    yield install
    for module in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[module], "__file__", "")):
            del sys.modules[module]
    importlib.invalidate_caches()


@pytest.fixture
def good() -> Callable[[str], str]:
    """The source of a plug-in that registers one backend of that name."""
    return lambda name: GOOD.format(name=name)


@pytest.fixture
def header() -> str:
    """The imports of a plug-in's module, to be followed by what the test is about."""
    return dedent(HEADER)
