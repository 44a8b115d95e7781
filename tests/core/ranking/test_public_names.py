"""`chroma_plugin.ranking` as a package."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chroma_plugin import ranking


@pytest.mark.parametrize("name", ranking.__all__)
def test_every_public_name(name: str) -> None:
    """Each name of __all__ is there, and dir() shows it."""
    assert callable(getattr(ranking, name))
    assert name in dir(ranking)


def test_no_other_name() -> None:
    """A name that does not exist is an AttributeError."""
    with pytest.raises(AttributeError, match="nosuch"):
        _ = ranking.nosuch


def test_importing_it_is_light() -> None:
    """Not even numpy is imported before a name is used."""
    script = "import chroma_plugin.ranking, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert not {"numpy", "bm25s", "chroma_plugin.types"} & set(done.stdout.split())
