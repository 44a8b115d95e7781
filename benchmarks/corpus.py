"""Records made of text that every machine has: paragraphs of the docstrings of the standard library and of the packages
installed for this Python, embedded with the default function, each with six metadata fields that are true of it.

    python benchmarks/corpus.py --cache DIRECTORY [--records 53000]

Sources are parsed, never imported. Embedding 53,000 texts takes some minutes and is done once for each cache.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
import sysconfig
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

Metadata = dict[str, str | int | bool]
SHORTEST, LONGEST = 60, 400
"""Characters of a text: shorter paragraphs are joined, longer ones cut."""
DIMENSION = 384
BUCKETS = 1_000
AT_ONCE = 512
"""Texts that are embedded in one call."""


@dataclass(frozen=True)
class Corpus:
    """Row i of the vectors belongs to text i and metadata i."""

    vectors: np.ndarray
    """(n, 384) float32, of length 1."""
    documents: list[str]
    metadatas: list[Metadata]

    def part(self, start: int, stop: int) -> Corpus:
        return Corpus(self.vectors[start:stop], self.documents[start:stop], self.metadatas[start:stop])


def load(cache: Path, count: int) -> Corpus:
    """The first texts of this machine in an order that mixes packages; embedded now unless the cache has them.

    Raises SystemExit when fewer distinct texts are found.
    """
    cache.mkdir(parents=True, exist_ok=True)
    kept, vectors = cache / f"corpus-{count}.json", cache / f"corpus-{count}.npy"
    if not kept.exists():
        kept.write_text(json.dumps(_collected(count)))
    told = json.loads(kept.read_text())
    if not vectors.exists():
        np.save(vectors, _embedded(told["documents"]))
    return Corpus(np.load(vectors), told["documents"], told["metadatas"])


def hashed(count: int) -> Corpus:
    """The same kind of records with vectors made of the words by hashing: no model, for quick runs and tests."""
    from chroma_plugin.embedding_functions import HashingEmbeddingFunction

    told = _collected(count, [Path(sysconfig.get_paths()["stdlib"])], "*.py")
    vectors = np.asarray(HashingEmbeddingFunction(dimension=DIMENSION)(told["documents"]), dtype=np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return Corpus(vectors, told["documents"], told["metadatas"])


def scaled(corpus: Corpus, count: int, seed: int = 0) -> Corpus:
    """More records than there are texts: each further one is a real one with a jittered vector and another bucket."""
    random = np.random.default_rng(seed)
    known = len(corpus.documents)
    sources = (
        np.arange(count) if count <= known else np.r_[np.arange(known), random.integers(known, size=count - known)]
    )
    vectors = corpus.vectors[sources]
    vectors[known:] = jittered(vectors[known:], random)
    metadatas = [corpus.metadatas[source] for source in sources.tolist()]
    further = random.integers(BUCKETS, size=count).tolist()
    metadatas[known:] = [{**metadatas[row], "bucket": further[row]} for row in range(min(known, count), count)]
    return Corpus(vectors, [corpus.documents[source] for source in sources.tolist()], metadatas)


def jittered(vectors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Vectors of length 1 at a cosine of about 0.9 from the given ones, as near as paraphrases are."""
    noise = random.standard_normal(vectors.shape, dtype=np.float32) * (0.5 / vectors.shape[1] ** 0.5)
    moved = vectors + noise
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)


def _collected(count: int, roots: list[Path] | None = None, pattern: str = "**/*.py") -> dict[str, Any]:
    paths = sysconfig.get_paths()
    roots = [Path(paths["stdlib"]), Path(paths["purelib"])] if roots is None else roots
    found: dict[str, Metadata] = {}
    for root in roots:
        for path in _sources(root, pattern):
            for text, metadata in _texts(path, root):
                found.setdefault(text, metadata)
    # In the order of a hash, so that the first n are a fair sample of all packages.
    chosen = dict(islice(sorted(found.items(), key=lambda item: (zlib.crc32(item[0].encode()), item[0])), count))
    if len(chosen) < count:
        raise SystemExit(
            f"{len(chosen):,} texts found where {count:,} are needed: install more packages or ask for less"
        )
    return {"documents": list(chosen), "metadatas": list(chosen.values())}


def _sources(root: Path, pattern: str) -> list[Path]:
    skipped = {"__pycache__", "site-packages", "dist-packages", "lib2to3"}
    return sorted(path for path in root.glob(pattern) if not skipped & set(path.relative_to(root).parts))


def _texts(path: Path, root: Path) -> Iterator[tuple[str, Metadata]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old escapes in other people's sources
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    package = path.relative_to(root).parts[0].removesuffix(".py")
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = (ast.get_docstring(node) or "").encode("utf-8", "replace").decode()
            for text in _paragraphs(docstring):
                yield text, _metadata(node, text, package)


def _metadata(node: Any, text: str, package: str) -> Metadata:
    return {
        "package": package,
        "kind": type(node).__name__,
        "length": len(text),
        "line": getattr(node, "lineno", 1),
        "public": not getattr(node, "name", "").startswith("_"),
        "bucket": zlib.crc32(text.encode()[::-1]) % BUCKETS,
    }


def _paragraphs(docstring: str) -> Iterator[str]:
    gathered = ""
    for paragraph in docstring.split("\n\n"):
        gathered = f"{gathered} {' '.join(paragraph.split())}".strip()
        if len(gathered) >= SHORTEST:
            yield gathered[:LONGEST]
            gathered = ""


def _embedded(documents: list[str]) -> np.ndarray:
    from chroma_plugin.embedding_functions import DefaultEmbeddingFunction

    embed = DefaultEmbeddingFunction()
    # Texts of like length go together, so that little is padded.
    order = sorted(range(len(documents)), key=lambda row: len(documents[row]))
    vectors = np.empty((len(documents), DIMENSION), dtype=np.float32)
    for start in range(0, len(order), AT_ONCE):
        rows = order[start : start + AT_ONCE]
        vectors[rows] = embed([documents[row] for row in rows])
        print(f"\rembedded {start + len(rows):,} of {len(documents):,}", end="", file=sys.stderr)
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--records", type=int, default=53_000)
    options = parser.parse_args()
    corpus = load(options.cache, options.records)
    mean = sum(map(len, corpus.documents)) / len(corpus.documents)
    print(f"{len(corpus.documents):,} texts, {mean:.0f} characters each")


if __name__ == "__main__":
    main()
