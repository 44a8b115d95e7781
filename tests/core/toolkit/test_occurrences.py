"""Bytes among bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.toolkit import occurrences


@given(st.text("ab\0", max_size=60), st.text("ab\0", min_size=1, max_size=7))
def test_every_place_is_found(text: str, wanted: str) -> None:
    """Overlapping ones, and those on the edges of what is compared at once."""
    data, sought = text.encode(), wanted.encode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(occurrences, "_AT_ONCE", 8)
        places = occurrences.occurrences(np.frombuffer(data, dtype=np.uint8), sought)

    assert places.tolist() == [at for at in range(len(data)) if data.startswith(sought, at)]
