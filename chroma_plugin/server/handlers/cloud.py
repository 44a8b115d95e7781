"""What Chroma Cloud has and no core of ours does: a clear 501."""

from __future__ import annotations

from chroma_plugin.errors import UnsupportedError
from chroma_plugin.server.call import Answer, Call


def fork(call: Call) -> Answer:
    raise UnsupportedError("fork is a feature of Chroma Cloud. Make a new collection and add the records of a get.")


def functions(call: Call) -> Answer:
    raise UnsupportedError("Attached functions are a feature of Chroma Cloud and not available here.")


def resource_name(call: Call) -> Answer:
    raise UnsupportedError("Resource names are a feature of Chroma Cloud and not available here.")
