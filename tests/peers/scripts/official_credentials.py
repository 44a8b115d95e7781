"""Prints, as JSON, what Chroma's own clients may do with a credential.

Usage: ``official_credentials.py HOST PORT CREDENTIAL``. The credential is sent in each way that the clients know.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import chromadb
from chromadb.config import Settings

TOKEN = "chromadb.auth.token_authn.TokenAuthClientProvider"


async def attempt(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return await asyncio.to_thread(call, *arguments, **options)
    except Exception as error:
        return {"raises": type(error).__name__, "says": str(error)}


async def attempt_async(host: str, port: int, headers: dict[str, str]) -> Any:
    try:
        client = await chromadb.AsyncHttpClient(host=host, port=port, headers=headers)
        return await client.count_collections()
    except Exception as error:
        return {"raises": type(error).__name__, "says": str(error)}


def use(host: str, port: int, **options: Any) -> list[Any]:
    """Write and read."""
    client = chromadb.HttpClient(host=host, port=port, **options)
    collection = client.get_or_create_collection("secrets", embedding_function=None)
    collection.upsert(ids=["a"], embeddings=[[1.0, 2.0]], documents=["known to few"])
    return collection.get()["documents"] or []


def read(host: str, port: int, **options: Any) -> int:
    return chromadb.HttpClient(host=host, port=port, **options).count_collections()


async def main(host: str, port: int, credential: str) -> None:
    bearer = {"Authorization": f"Bearer {credential}"}
    own = {"X-Chroma-Token": credential}
    provided = Settings(chroma_client_auth_provider=TOKEN, chroma_client_auth_credentials=credential)
    answers = {
        "none": await attempt(use, host, port),
        "Authorization": await attempt(use, host, port, headers=bearer),
        "X-Chroma-Token": await attempt(use, host, port, headers=own),
        "provider": await attempt(use, host, port, settings=provided),
        "async": await attempt_async(host, port, own),
        "reading": await attempt(read, host, port, headers=own),
        "another": await attempt(read, host, port, headers={"X-Chroma-Token": credential + "x"}),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
