"""chromadb's PersistentClient, with its defaults."""

from __future__ import annotations

import os
import time

from engines.ours import ChromaAPI
from engines.protocol import Where


class Chroma(ChromaAPI):
    packages = ("chromadb",)
    module = "chromadb"
    durability = "SQLite with fsync a call (its default)"
    durable = True
    batch = 5_000
    """It takes 5,461 records in a call."""

    def open(self) -> None:
        os.environ["ANONYMIZED_TELEMETRY"] = "False"
        import chromadb

        self.client = chromadb.PersistentClient(str(self.path), chromadb.Settings(anonymized_telemetry=False))
        self.collection = self.client.get_or_create_collection(
            "records", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )

    def close(self) -> None:
        close = getattr(self.client, "close", None)
        if close is not None:
            close()
        self.client.clear_system_cache()

    def set_ef(self, ef: int) -> None:
        """It takes effect with the next opening."""
        self.collection.modify(configuration={"hnsw": {"ef_search": ef}})
        self.close()
        time.sleep(0.1)
        self.open()

    def count_where(self, where: Where) -> int:
        """There is no such call: the ids are fetched."""
        return len(self.collection.get(where=where, include=[])["ids"])
