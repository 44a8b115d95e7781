"""What must hold when a process ended between two steps."""

from __future__ import annotations

import threading
from uuid import uuid4

import numpy as np
import pytest
from support.plain_backend import PlainBackend, PlainOptions

from chroma_plugin.errors import InvalidDimensionError
from chroma_plugin.sessions.open_collection import OpenCollection
from chroma_plugin.types import CollectionInfo, Records


def test_a_dimension_that_was_not_kept() -> None:
    """Records without a kept dimension, as after a crash at the first write, still fix it."""
    backend, info = PlainBackend(PlainOptions()), CollectionInfo(id=uuid4(), name="things")
    backend.create_collection(info)
    backend.open_collection(info).put(Records(["a"], np.ones((1, 3), np.float32), [None], [None], [None]))
    opened = OpenCollection(backend, info, threading.RLock())

    with opened.reading() as store:
        assert opened.check_dimension(store, np.ones((2, 3), np.float32)) == 3
        with pytest.raises(InvalidDimensionError, match="dimension 3"):
            opened.check_dimension(store, np.ones((2, 4), np.float32))
