"""Engines beyond one machine: each by our plug-in and by its own client."""

from __future__ import annotations

import importlib

from beyond_engines.protocol import Direct

ENGINES = {"milvus": "beyond_engines.milvus:Milvus", "pgvector": "beyond_engines.pgvector:Pgvector"}


def engine_class(name: str) -> type[Direct]:
    module, _, attribute = ENGINES[name].partition(":")
    found: type[Direct] = getattr(importlib.import_module(module), attribute)
    return found
