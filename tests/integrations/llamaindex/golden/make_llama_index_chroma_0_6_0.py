"""Write `llama-index-chroma-0.6.0.json`: records of the real llama-index-vector-stores-chroma, and the nodes it reads.

Not a test: it was run once, and is kept to show where the file comes from. To run it again::

    python3.11 -m venv theirs
    theirs/bin/pip install llama-index-vector-stores-chroma==0.6.0 chromadb==1.5.9
    theirs/bin/python tests/integrations/llamaindex/golden/make_llama_index_chroma_0_6_0.py
"""

from __future__ import annotations

import json
from pathlib import Path

import chromadb
from llama_index.core.schema import ImageNode, IndexNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.vector_stores.chroma import ChromaVectorStore

FILE = Path(__file__).with_name("llama-index-chroma-0.6.0.json")

NODES = [
    TextNode(
        id_="moon",
        text="The moon is made of rock.",
        metadata={"topic": "space", "year": 1969, "score": 0.5, "note": None},
        relationships={
            NodeRelationship.SOURCE: RelatedNodeInfo(node_id="astronomy", hash="abc", metadata={"file": "a.txt"}),
            NodeRelationship.NEXT: RelatedNodeInfo(node_id="sea"),
            NodeRelationship.CHILD: [RelatedNodeInfo(node_id="c1"), RelatedNodeInfo(node_id="c2")],
        },
        start_char_idx=3,
        end_char_idx=28,
        excluded_embed_metadata_keys=["year"],
        embedding=[1.0, 0.0, 0.0],
    ),
    TextNode(
        id_="sea",
        text='The sea is full of fish. 貓 🐟 "quoted"',
        metadata={"topic": "water", "year": 2001},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="biology")},
        embedding=[0.0, 1.0, 0.0],
    ),
    IndexNode(id_="table", text="A table of planets.", index_id="planets", embedding=[0.0, 0.0, 1.0]),
    ImageNode(id_="photo", text="", image_url="http://localhost/moon.png", embedding=[1.0, 1.0, 0.0]),
    TextNode(id_="bare", text="On its own.", embedding=[0.0, 1.0, 1.0]),
]


def main() -> None:
    client = chromadb.EphemeralClient(chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("golden", embedding_function=None, configuration={"hnsw": {"space": "l2"}})
    store = ChromaVectorStore(chroma_collection=collection)
    store.add(NODES)
    records = collection.get(include=["documents", "metadatas", "embeddings"])
    read = store.get_nodes([node.node_id for node in NODES])
    FILE.write_text(
        json.dumps(
            {
                "records": {
                    "ids": records["ids"],
                    "embeddings": [list(map(float, row)) for row in records["embeddings"]],
                    "documents": records["documents"],
                    "metadatas": records["metadatas"],
                },
                "nodes": {node.node_id: {"type": node.class_name(), "data": node.to_dict()} for node in read},
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
