"""qdrant-client's local mode: everything in Python, kept in SQLite."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engines.protocol import Engine, Records, Where


class Qdrant(Engine):
    packages = ("qdrant-client",)
    module = "qdrant_client"
    durability = "SQLite with fsync a call"
    durable = True
    client: Any

    def open(self) -> None:
        from qdrant_client import QdrantClient, models

        warnings.simplefilter("ignore")  # that a server would be faster with this many points
        self.client = QdrantClient(path=str(self.path))
        if not self.client.collection_exists("records"):
            self.client.create_collection(
                "records", models.VectorParams(size=self.dimension, distance=models.Distance.COSINE)
            )

    def close(self) -> None:
        self.client.close()

    def ingest(self, records: Records) -> None:
        for part in records.batches(1_000):
            self.upsert(part)

    def upsert(self, records: Records) -> None:
        from qdrant_client import models

        payloads = [
            {"document": document, **metadata}
            for document, metadata in zip(records.documents, records.metadatas, strict=True)
        ]
        batch = models.Batch(ids=list(records.numbers), vectors=records.vectors.tolist(), payloads=payloads)
        self.client.upsert("records", batch)

    def query(self, vector: np.ndarray, k: int) -> list[int]:
        return self._search(vector, k, None)

    def query_where(self, vector: np.ndarray, k: int, where: Where) -> list[int]:
        return self._search(vector, k, _filter(where))

    def query_exact(self, vector: np.ndarray, k: int) -> list[int]:
        return self.query(vector, k)

    def query_contains(self, vector: np.ndarray, k: int, text: str, where: Where | None) -> list[int]:
        return self._search(vector, k, _contains(text, where))

    def _search(self, vector: np.ndarray, k: int, condition: Any) -> list[int]:
        found = self.client.query_points("records", vector, limit=k, query_filter=condition, with_payload=True)
        return [int(point.id) for point in found.points]

    def get(self, ids: list[str]) -> int:
        return len(self.client.retrieve("records", [int(id) for id in ids], with_payload=True))

    def get_where(self, where: Where, limit: int) -> int:
        return len(self.client.scroll("records", _filter(where), limit=limit, with_payload=True)[0])

    def count_where(self, where: Where) -> int:
        return int(self.client.count("records", _filter(where)).count)

    def contains(self, text: str, where: Where | None) -> int:
        return len(self.client.scroll("records", _contains(text, where), limit=1_000_000, with_payload=True)[0])

    def update_metadata(self, ids: list[str], metadatas: Sequence[Mapping[str, Any]]) -> None:
        from qdrant_client import models

        changes = [
            models.SetPayloadOperation(set_payload=models.SetPayload(payload=dict(metadata), points=[int(id)]))
            for id, metadata in zip(ids, metadatas, strict=True)
        ]
        self.client.batch_update_points("records", changes)

    def update_vectors(self, records: Records) -> None:
        from qdrant_client import models

        rows = zip(records.numbers, records.vectors.tolist(), strict=True)
        self.client.update_vectors("records", [models.PointVectors(id=number, vector=row) for number, row in rows])

    def delete(self, ids: list[str]) -> None:
        self.client.delete("records", [int(id) for id in ids])


def _contains(text: str, where: Where | None) -> Any:
    from qdrant_client import models

    must = [models.FieldCondition(key="document", match=models.MatchText(text=text))]
    return models.Filter(must=[*must, *([_filter(where)] if where else [])])


def _filter(where: Where) -> Any:
    from qdrant_client import models

    conditions: dict[str, list[Any]] = {"must": [], "must_not": []}
    for key, wanted in where.items():
        if key == "$and":
            conditions["must"] += [_filter(part) for part in wanted]
        elif key == "$or":
            conditions["must"].append(models.Filter(should=[_filter(part) for part in wanted]))
        else:
            [(sign, operand)] = wanted.items() if isinstance(wanted, Mapping) else [("$eq", wanted)]
            if sign in ("$lt", "$gte"):
                limits = models.Range(lt=operand) if sign == "$lt" else models.Range(gte=operand)
                conditions["must"].append(models.FieldCondition(key=key, range=limits))
            else:
                same = models.FieldCondition(key=key, match=models.MatchValue(value=operand))
                conditions["must" if sign == "$eq" else "must_not"].append(same)
    return models.Filter(**conditions)
