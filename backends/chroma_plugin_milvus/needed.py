"""Which columns of Milvus a request asks for.

Each column costs, and two are of no use in most collections: ``rest``, where texts are long, and ``place``, where hits
are equally near. They are asked for when an answer shows that they are needed, and from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import TypeVar

from chroma_plugin.types import Field
from chroma_plugin_milvus import rows

_T = TypeVar("_T")


class Needed:
    """What has been needed so far in one collection."""

    def __init__(self) -> None:
        self._also: frozenset[str] = frozenset()

    def answer(
        self, fields: frozenset[Field], ask: Callable[[Sequence[str]], _T], missed: Callable[[_T], Set[str]]
    ) -> _T:
        """The answer to one request, with all that is needed to read these fields; ``missed`` finds in an answer what
        may be.
        """
        also = self._also
        while True:
            asked = also.union(rows.columns(fields))
            answer = ask(sorted(asked))
            more = missed(answer) - asked
            if not more:
                return answer
            also = self._also = also | more
