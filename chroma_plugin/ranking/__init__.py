"""Ranking: fusing lists of results into one, choosing results that differ, and what text search is made of.

::

    from chroma_plugin.ranking import maximal_marginal_relevance, reciprocal_rank_fusion

Nothing here knows of collections or stores. Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from chroma_plugin.ranking.fusion import reciprocal_rank_fusion, relative_score_fusion
    from chroma_plugin.ranking.mmr import maximal_marginal_relevance
    from chroma_plugin.ranking.words import words_of

_HOME_OF: Final = {
    "maximal_marginal_relevance": "mmr",
    "reciprocal_rank_fusion": "fusion",
    "relative_score_fusion": "fusion",
    "words_of": "words",
}

__all__ = ["maximal_marginal_relevance", "reciprocal_rank_fusion", "relative_score_fusion", "words_of"]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
