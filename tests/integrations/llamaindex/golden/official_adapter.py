"""llama-index-vector-stores-chroma on the collection "exchange" of a server: ``write host port node`` or
``read host port``. Runs where that package is installed and ours is not.
"""

from __future__ import annotations

import sys

from llama_index.core.schema import TextNode
from llama_index.vector_stores.chroma import ChromaVectorStore


def main() -> None:
    what, host, port, *node = sys.argv[1:]
    store = ChromaVectorStore.from_params(
        "exchange", host=host, port=port, collection_kwargs={"embedding_function": None}
    )
    if what == "write":
        store.add([TextNode.from_json(node[0])])
    else:
        print(store.get_nodes(["n1"])[0].to_json())


if __name__ == "__main__":
    main()
