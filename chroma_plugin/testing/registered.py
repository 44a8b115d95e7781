"""The test module that ``python -m chroma_plugin.testing NAME`` lets pytest collect.

What it tests stands in the environment, so that the workers of pytest-xdist and the child processes of the durability
tests see it too.
"""

from __future__ import annotations

import json
import os

from chroma_plugin.testing import BackendConformance
from chroma_plugin.testing.__main__ import CHOICE


class TestRegisteredBackend(BackendConformance):
    """The kit on a backend that is known by its name."""


for _name, _value in json.loads(os.environ.get(CHOICE, "{}")).items():
    setattr(TestRegisteredBackend, _name, _value)
