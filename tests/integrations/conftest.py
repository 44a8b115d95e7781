"""On which engines the adapters are tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

ON_EVERY_ENGINE: Final = {
    "test_langchain_suite",
    "test_langchain_document_index",
    "test_haystack_suite",
    "test_llamaindex_queries",
}
"""The frameworks' own suites, and what stands for one. Other tests are about the adapters: three engines will do."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not _on_pgvector(item) or Path(item.path).stem in ON_EVERY_ENGINE]


def _on_pgvector(item: pytest.Item) -> bool:
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return Path(__file__).parent in Path(item.path).parents and "pgvector" in " ".join(map(str, parameters.values()))
