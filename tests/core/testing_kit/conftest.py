"""Loads the module of planted faults, which pytest does not collect with the others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def load_faulty() -> ModuleType:
    """The module ``faulty``, with its neighbour ``plain`` importable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        spec = importlib.util.spec_from_file_location("faulty", Path(__file__).with_name("faulty.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module
