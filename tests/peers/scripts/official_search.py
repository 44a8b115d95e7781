"""Prints, as JSON, what the search of Chroma's own client answers: ``official_search.py HOST PORT sync|async``.

It runs in an environment that has chromadb, which is not one that has this package.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from typing import Any

import chromadb
import numpy as np
from chromadb.execution.expression import GroupBy, K, Knn, MinK, Rrf, Search, Val
from chromadb.utils.embedding_functions import register_embedding_function


@register_embedding_function
class Letters(chromadb.EmbeddingFunction):
    """How often each of a few letters is in the text."""

    def __init__(self, letters: str = "aeio") -> None:
        self._letters = letters

    def __call__(self, input: list[str]) -> list[np.ndarray]:
        return [np.array([text.count(letter) for letter in self._letters], dtype=np.float32) for text in input]

    @staticmethod
    def name() -> str:
        return "letters"

    def get_config(self) -> dict[str, Any]:
        return {"letters": self._letters}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Letters:
        return Letters(config["letters"])


async def settle(value: Any) -> Any:
    """The value of a sync call, or of an async one."""
    return await value if inspect.isawaitable(value) else value


SEARCHES = {
    "nearest": Search().rank(Knn(query="aaa")).limit(2).select(K.SCORE, K.DOCUMENT),
    "vector": Search().rank(Knn(query=[0.0, 0.0, 0.0, 2.0], limit=1)).select_all(),
    "filtered": Search().where((K("n") > 1) & (K.DOCUMENT.contains("o"))).rank(Knn(query="oo")).select(K.SCORE, "n"),
    "by id": Search().where(K.ID.is_in(["b", "d"])).select(K.METADATA),
    "unranked": Search().limit(2, offset=1),
    "arithmetic": Search().rank((Knn(query="aaa") * 0.5 + Val(1.0)).min(3.0)).select(K.SCORE),
    "fused": Search()
    .rank(Rrf([Knn(query="aaa", return_rank=True, limit=3), Knn(query="ooo", return_rank=True, limit=3)], k=10))
    .select(K.SCORE),
    "grouped": Search()
    .rank(Knn(query="aaa"))
    .group_by(GroupBy(keys=K("kind"), aggregate=MinK(keys=K.SCORE, k=1)))
    .select(K.SCORE, "kind"),
}


async def answers(host: str, port: int, mode: str) -> dict[str, Any]:
    make: Any = chromadb.HttpClient if mode == "sync" else chromadb.AsyncHttpClient
    client = await settle(make(host=host, port=port))
    collection = await settle(client.create_collection(f"search-{mode}", embedding_function=Letters()))
    await settle(
        collection.add(
            ids=["a", "b", "c", "d"],
            documents=["aaa", "aa o", "a oo", "ooo"],
            metadatas=[{"n": 1, "kind": "x"}, {"n": 2, "kind": "x"}, {"n": 3, "kind": "y"}, {"n": 4}],
        )
    )
    given = {name: (await settle(collection.search(search))).rows()[0] for name, search in SEARCHES.items()}
    together = await settle(collection.search([SEARCHES["nearest"], SEARCHES["unranked"]]))
    return {**given, "together": together["ids"]}


def main() -> None:
    host, port, mode = sys.argv[1:]
    print(json.dumps(asyncio.run(answers(host, int(port), mode))))


if __name__ == "__main__":
    main()
