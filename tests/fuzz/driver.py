"""Fuzz one target: ``python tests/fuzz/driver.py where --seconds 60 --seed 1``.

With atheris installed (``pip install atheris``) it is guided by coverage, and what fails is written to a file, which
``--input FILE`` tries again; without, mutations of the seeds are tried in an order that the seed fixes.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in (HERE / "targets").glob("*.py"))
_PACKAGES = ["chroma_plugin", *(f"chroma_plugin_{name}" for name in ("chromadb", "duckdb", "memory", "rest"))]


class Failure(AssertionError):
    """An input that a target did not stand."""


def load(name: str) -> ModuleType:
    sys.path[:0] = [path for path in (str(HERE.parent),) if path not in sys.path]
    return importlib.import_module(f"fuzz.targets.{name}")


def mutate(target: ModuleType, seconds: float, seed: int, most: int = sys.maxsize) -> int:
    """How many inputs were tried. Raises Failure for the first that is not stood."""
    from fuzz.mutating import mutations

    end = time.monotonic() + seconds
    for tried, data in enumerate(mutations(target.SEEDS, seed)):
        if tried >= most or time.monotonic() > end:
            return tried
        try:
            target.one(data)
        except Exception as error:
            raise Failure(
                f"input {tried} of seed {seed} ({type(error).__name__}: {error!s:.300}): {data!r:.2000}"
            ) from error
    raise AssertionError("mutations do not end")


def guided(name: str, seconds: float, seed: int) -> None:
    """Does not return: atheris ends the process."""
    import tempfile

    import atheris

    with atheris.instrument_imports(include=_PACKAGES):
        target = load(name)
    corpus = Path(tempfile.mkdtemp(prefix="fuzz-corpus-"))
    for number, data in enumerate(target.SEEDS):
        (corpus / str(number)).write_bytes(data)
    arguments = [
        sys.argv[0],
        str(corpus),
        f"-max_total_time={int(seconds)}",
        f"-seed={seed}",
        "-rss_limit_mb=2048",
        "-timeout=10",
    ]
    atheris.Setup(arguments, target.one)
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--input", type=Path)
    parser.add_argument("--unguided", action="store_true", help="mutate, though atheris is there")
    options = parser.parse_args(arguments)
    if options.input:
        load(options.target).one(options.input.read_bytes())
        return
    if not options.unguided and importlib.util.find_spec("atheris"):
        guided(options.target, options.seconds, options.seed)
    print(
        f"{options.target}: {mutate(load(options.target), options.seconds, options.seed)} inputs, seed {options.seed}"
    )


if __name__ == "__main__":
    main()
