"""The tests that chromadb ships in its own wheel, run against our server instead of theirs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from support.peers import run
from support.server import HOST, running_server

SCRIPTS: Final = Path(__file__).parent / "scripts"
SECONDS: Final = 900

ASKED: Final = (
    "test_api.py",
    "api",
    "client/test_database_tenant.py",
    "client/test_multiple_clients_concurrency.py",
    "configurations/test_collection_configuration.py",
    "test_multithreaded.py",
)
"""The files whose tests take a client of a server that is there already: the fixtures `integration` and
`async_integration`. Each such test runs twice, with the sync and with the async client."""

NOT_OF_A_SERVER: Final = ("test_persist_index_loading_params",)
"""Takes the server's fixture, and then opens a database in its own process, for which it needs hnswlib."""

CHROMA_PASSES: Final = 336
"""How many of them `chroma run` 1.5.9 passes. It fails none."""

OURS_DIFFER: Final[dict[str, tuple[str, ...]]] = {
    "unknown ids in query(ids=) are passed over; theirs is an internal error": ("test_query_id_filtering_e2e",),
}
"""The tests that pin an answer of Chroma's where ours is another one, by the difference."""
DIFFERENT: Final = frozenset(test for tests in OURS_DIFFER.values() for test in tests)


@dataclass(frozen=True)
class Outcome:
    counts: Counter[str]
    failed: frozenset[str]
    report: str


@pytest.fixture(scope="module")
def outcome(peer_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    directory = tmp_path_factory.mktemp("suite")
    with running_server(directory / "data", allow_reset=True) as server:
        yield run_suite(peer_python, server.port, directory / "report.xml")


def run_suite(python: Path, port: int, report: Path) -> Outcome:
    package = run([python, "-c", "import chromadb; print(chromadb.__path__[0])"]).strip()
    files = [Path(package, "test", file) for file in ASKED]
    chosen = "integration and not " + " and not ".join(NOT_OF_A_SERVER)
    # A file of its own: pytest would go up from the packages to ours.
    settings = report.with_name("pytest.ini")
    settings.write_text("[pytest]\n")
    options = [
        "-q",
        "-c",
        str(settings),
        "-p",
        "offline_embeddings",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        "--timeout",
        "120",
    ]
    output = run(
        [python, "-m", "pytest", *options, "-k", chosen, f"--junitxml={report}", *files],
        seconds=SECONDS,
        cwd=Path(package).parent,
        codes=(0, 1),
        CHROMA_INTEGRATION_TEST_ONLY="1",
        CHROMA_SERVER_HOST=HOST,
        CHROMA_SERVER_HTTP_PORT=str(port),
        PYTHONPATH=str(SCRIPTS),
    )
    return read(report, output)


def read(report: Path, output: str) -> Outcome:
    counts: Counter[str] = Counter()
    failed = set()
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kind = next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")
        counts[kind] += 1
        if kind in ("failure", "error"):
            failed.add(str(case.get("name")).partition("[")[0])
    return Outcome(counts, frozenset(failed), output[-20_000:])


def test_our_server_passes_the_tests_of_chroma(outcome: Outcome) -> None:
    """No test of Chroma's fails on our server, but for those where we differ, and those all do."""
    assert outcome.failed == DIFFERENT, outcome.report


def test_as_many_tests_of_chroma_pass_as_on_their_server(outcome: Outcome) -> None:
    """The suite really ran: as many tests pass as on Chroma's own server, less two for each difference."""
    assert outcome.counts["passed"] >= CHROMA_PASSES - 2 * len(DIFFERENT), outcome.report
