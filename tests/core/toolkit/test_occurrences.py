"""Bytes among bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.toolkit import occurrences

WAYS = {
    "numpy": {"available": lambda: False, "_AT_ONCE": 8},
    "stringzilla": {"_MANY": 1000},
    "stringzilla, until there are many": {"_MANY": 2, "_AT_ONCE": 8},
}


@pytest.mark.parametrize("way", WAYS)
@given(text=st.text("ab\0", max_size=60), wanted=st.text("ab\0", min_size=1, max_size=7))
def test_every_place_is_found(way: str, text: str, wanted: str) -> None:
    """Overlapping ones, and those on the edges of what is compared at once."""
    data, sought = text.encode(), wanted.encode()

    with pytest.MonkeyPatch.context() as patch:
        for name, value in WAYS[way].items():
            patch.setattr(occurrences, name, value)
        places = occurrences.occurrences(np.frombuffer(data, dtype=np.uint8), sought)

    assert places.tolist() == [at for at in range(len(data)) if data.startswith(sought, at)]
