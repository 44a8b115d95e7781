"""What our adapters for LangChain, LlamaIndex and Haystack cost, beside the official ones over chromadb, in one run.

    python benchmarks/adapters.py --peers PATH/TO/bin/python [--records 10000] [--rounds 5] [--json figures.json]

`--peers` is the Python of an environment with chromadb, langchain-chroma, llama-index-vector-stores-chroma and
chroma-haystack (1.5.9, 1.1.0, 0.6.0 and 5.0.0 in our figures) and the same frameworks; without it only ours are
measured.

Adding all records, similarity (the 4 nearest) with and without a filter that leaves a tenth, MMR (4 of 20) and 32 async
tasks, each through the adapter and through the plain client underneath, the same calls with the same arguments. What
the adapter takes beyond the plain client is its overhead. Both sides run in processes of their own, on databases in
memory, with their defaults; their rounds are interleaved and medians shown. Neither waits for index work that goes on
in the background after an add. The texts are real (docstrings of the standard library), the vectors are made of their
words beforehand and given to both: no model is timed. Then how long importing each adapter takes once its framework
is imported, and until a first, empty store is open. About ten minutes.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chroma_plugin.embedding_functions import HashingEmbeddingFunction

FRAMEWORKS = ("LangChain", "LlamaIndex", "Haystack")
WORKS = ("add", "similarity", "filter", "MMR", "32 tasks")
QUERIES = 320
PIECE = 600
"""Characters of a text."""

BEFORE = {
    "LangChain": "from langchain_core.vectorstores import VectorStore, VectorStoreRetriever\n"
    "from langchain_core.embeddings import Embeddings, DeterministicFakeEmbedding",
    "LlamaIndex": "import llama_index.core, llama_index.core.vector_stores.utils\n"
    "from llama_index.core.vector_stores.types import BasePydanticVectorStore",
    "Haystack": "from haystack import Document, component, default_to_dict\n"
    "from haystack.document_stores.types import DuplicatePolicy\n"
    "from haystack.utils import Secret",
}
IMPORTS = {
    ("LangChain", "ours"): (
        "from chroma_plugin_langchain import ChromaPluginVectorStore",
        "ChromaPluginVectorStore('docs', DeterministicFakeEmbedding(size=8))._collection.count()",
    ),
    ("LangChain", "official"): (
        "from langchain_chroma import Chroma",
        "Chroma('docs', DeterministicFakeEmbedding(size=8))._collection.count()",
    ),
    ("LlamaIndex", "ours"): (
        "from chroma_plugin_llamaindex import ChromaPluginVectorStore",
        "import chroma_plugin as c\nChromaPluginVectorStore(c.Client().create_collection('docs')).client.count()",
    ),
    ("LlamaIndex", "official"): (
        "from llama_index.vector_stores.chroma import ChromaVectorStore",
        "import chromadb as c\nChromaVectorStore(c.EphemeralClient().create_collection('docs')).client.count()",
    ),
    ("Haystack", "ours"): (
        "from chroma_plugin_haystack import ChromaPluginDocumentStore",
        "ChromaPluginDocumentStore('docs').count_documents()",
    ),
    ("Haystack", "official"): (
        "from haystack_integrations.document_stores.chroma import ChromaDocumentStore",
        "ChromaDocumentStore('docs').count_documents()",
    ),
}
TIMED_IMPORT = """
import os, time
os.environ["ANONYMIZED_TELEMETRY"] = "False"
{before}
start = time.perf_counter()
{adapter}
imported = time.perf_counter()
{store}
opened = time.perf_counter()
print(imported - start, opened - start)
"""


@dataclass
class Side:
    name: str
    python: str
    process: subprocess.Popen[str]
    timings: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    imports: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def measure(self, framework: str, work: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"framework": framework, "work": work}), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name} ended at {framework}, {work}.")
        self.timings.setdefault((framework, work), []).append(json.loads(answer))

    def measure_import(self, framework: str) -> None:
        adapter, store = IMPORTS[framework, self.name]
        code = TIMED_IMPORT.format(before=BEFORE[framework], adapter=adapter, store=store)
        done = subprocess.run([self.python, "-c", code], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}, {framework}:\n{done.stderr}")
        imported, opened = done.stdout.split()
        self.imports.setdefault(framework, []).append((float(imported), float(opened)))

    def figures(self, framework: str, work: str) -> dict[str, Any]:
        """Medians of the rounds, in microseconds an operation."""
        rounds = self.timings[framework, work]
        refused = [each["impossible"] for each in rounds if "impossible" in each]
        if refused:
            return {"impossible": refused[0]}
        return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def started(name: str, python: str, texts: Path, vectors: Path) -> Side:
    script = Path(__file__).with_name("adapter_side.py")
    side = "ours" if name == "ours" else "official"
    process = subprocess.Popen(
        [python, str(script), side, str(texts), str(vectors)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return Side(name, python, process)


def ended(side: Side) -> None:
    assert side.process.stdin is not None
    side.process.stdin.close()
    side.process.wait(60)


def docstrings() -> Iterator[str]:
    """Of the standard library, in pieces."""
    for path in sorted(Path(ast.__file__).parent.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text(), type_comments=False)
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node) or ""
                yield from (text[start : start + PIECE] for start in range(0, len(text), PIECE))


def corpus(directory: Path, records: int) -> tuple[Path, Path]:
    """The texts and vectors, as files for both sides."""
    distinct = list(dict.fromkeys(text for text in docstrings() if len(text) > 40))
    if len(distinct) < records:
        raise SystemExit(f"The standard library has only {len(distinct):,} different texts.")
    dice = random.Random(0)
    texts = dice.sample(distinct, records)
    queries = list(dict.fromkeys(_query(dice, text) for text in dice.sample(texts, min(records, 2 * QUERIES))))
    queries = [query for query in queries if query not in set(texts)][:QUERIES]
    path, matrix = directory / "texts.json", directory / "vectors.npy"
    path.write_text(json.dumps({"records": texts, "queries": queries}))
    np.save(matrix, vectors_of(texts + queries))
    return path, matrix


def vectors_of(texts: list[str]) -> npt.NDArray[np.float32]:
    """Near for texts with the same words. Turned about, because vectors of words are zeros nearly everywhere, which
    those of a model are not.
    """
    words = np.asarray(HashingEmbeddingFunction()(texts))
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(words.shape[1], words.shape[1])))
    return (words @ turned).astype(np.float32)


def _query(dice: random.Random, text: str) -> str:
    words = text.split()
    first = dice.randrange(max(1, len(words) - 5))
    return " ".join(words[first : first + 6])


def table(sides: list[Side]) -> str:
    """Milliseconds would hide our overhead: all figures are microseconds an operation."""
    lines = [
        "| framework | what | " + " | ".join(f"{side.name} µs | of it overhead" for side in sides) + " | ratio |",
        "|---" * (3 + 2 * len(sides)) + "|",
    ]
    for framework in FRAMEWORKS:
        for work in WORKS:
            rows = [side.figures(framework, work) for side in sides]
            if all("impossible" in row for row in rows):
                continue
            cells = [_cell(row) for row in rows]
            lines.append(f"| {framework} | {work} | {' | '.join(cells)} | {_ratio(rows)} |")
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    if "impossible" in row:
        return "impossible | "
    overhead = f"{row['overhead_us']:,.0f}" if "overhead_us" in row else ""
    return f"{row['us']:,.0f} | {overhead}"


def _ratio(rows: list[dict[str, Any]]) -> str:
    ours, theirs = rows[0], rows[-1]
    return f"{theirs['us'] / ours['us']:.1f}" if len(rows) > 1 and "us" in ours and "us" in theirs else ""


def import_table(sides: list[Side]) -> str:
    lines = [
        "| framework | " + " | ".join(f"{side.name}: import s | with a first store" for side in sides) + " |",
        "|---" * (1 + 2 * len(sides)) + "|",
    ]
    for framework in FRAMEWORKS:
        cells = [" | ".join(f"{seconds:.3f}" for seconds in _medians(side, framework)) for side in sides]
        lines.append(f"| {framework} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _medians(side: Side, framework: str) -> tuple[float, ...]:
    return tuple(statistics.median(each) for each in zip(*side.imports[framework], strict=True))


def figures(sides: list[Side]) -> dict[str, Any]:
    return {
        side.name: {
            framework: {
                **{work: side.figures(framework, work) for work in WORKS},
                "import_s": _medians(side, framework),
            }
            for framework in FRAMEWORKS
        }
        for side in sides
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="the Python of an environment with chromadb and the official adapters")
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    pythons = {"ours": sys.executable, **({"official": options.peers} if options.peers else {})}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = corpus(directory, options.records)
        sides = []
        for name, python in pythons.items():
            sides.append(started(name, python, *files))
            stack.callback(ended, sides[-1])
        for turn in range(options.rounds):
            order = sides if turn % 2 == 0 else sides[::-1]  # who goes first changes
            for framework in FRAMEWORKS:
                for work in WORKS:
                    for side in order:
                        side.measure(framework, work)
                for side in order:
                    side.measure_import(framework)
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
        print(table(sides))
        print()
        print(import_table(sides))
        for side in sides:
            for framework, work in side.timings:
                refused = side.figures(framework, work).get("impossible")
                if refused:
                    print(f"\n{side.name}, {framework}, {work}: {refused}")
        if options.json:
            options.json.write_text(json.dumps(figures(sides), indent=2) + "\n")


if __name__ == "__main__":
    main()
