"""Our server and `chroma run`, side by side in one run.

    python benchmarks/server.py --chroma PATH/TO/bin/chroma [--rounds 3] [--records 50000] [--json FILE] [--quick]

`--chroma` is the program of an environment that has chromadb (1.5.9 in our figures); without it only ours is measured.
Requests a second, p50 and p99 of add (1, 100 and 1,000 records), query (1 and 100 embeddings, the ten nearest with
documents and metadata) and get (10 ids), from 1, 8 and 32 connections that are kept open. The server's memory, idle and
with all records, once it has nothing more to do: what is resident, its share of what several processes map (PSS),
and what belongs to no file (anonymous). `--quick` asks a few times only, to see that it all works.

Both servers keep their data on disk, run with their defaults on this machine, and get the same bytes from the same load
generator (`load.py`); the rounds of the two are interleaved and the medians shown. Adds go to new collections, queries
and gets to one of 50,000 records of 384 dimensions in 200 clusters. About ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from load import Load, Timing

DATABASE = "/api/v2/tenants/default_tenant/databases/default_database/collections"
CLIENTS = (1, 8, 32)
QUICK = 4
"""Requests for each row of a quick run."""


@dataclass(frozen=True)
class Work:
    kind: str
    rows: int
    requests: tuple[int, int, int]
    """For each number of clients."""


WORKS = (
    Work("add", 1, (200, 400, 640)),
    Work("add", 100, (16, 32, 64)),
    Work("add", 1_000, (6, 8, 32)),
    Work("query", 1, (300, 600, 960)),
    Work("query", 100, (8, 16, 32)),
    Work("get", 10, (300, 600, 960)),
)


Memory = dict[str, float]
"""Mebibytes by kind."""
KINDS = {"Rss": "resident", "Pss": "PSS", "Anonymous": "anonymous"}
QUIET_SHARE = 0.03
"""A server that uses less of one processor has nothing more to do."""
QUIET_SECONDS = 180


@dataclass
class Server:
    name: str
    port: int
    process: subprocess.Popen[bytes]
    filled: str = ""
    """The path of the collection that has all records."""
    timings: dict[tuple[str, int, int], list[Timing]] = field(default_factory=dict)
    idle: Memory = field(default_factory=dict)
    full: Memory = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def new_collection(self, name: str) -> str:
        return f"{DATABASE}/{self.call('POST', DATABASE, {'name': name})['id']}"

    def memory(self) -> Memory:
        """Of the process and its children."""
        found = [_memory(process) for process in _family(self.process.pid)]
        return {name: sum(each[name] for each in found) / 1024 for name in KINDS.values()}

    def wait_until_quiet(self) -> None:
        """Both servers build indexes in the background after an add."""
        for _ in range(QUIET_SECONDS):
            before = self._processor_seconds()
            time.sleep(1)
            if self._processor_seconds() - before < QUIET_SHARE:
                return
        raise RuntimeError(f"{self.name} is still busy after {QUIET_SECONDS} s")

    def _processor_seconds(self) -> float:
        return sum(_processor_seconds(process) for process in _family(self.process.pid))


def _memory(process: int) -> dict[str, int]:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return {shown: sizes[name] for name, shown in KINDS.items()}


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _family(process: int) -> Iterator[int]:
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


@contextmanager
def started(name: str, command: list[str], directory: Path) -> Iterator[Server]:
    """The server, from its start to its end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = directory / name
    with (directory / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--path", str(data), "--host", "127.0.0.1", "--port", str(port)], stdout=log, stderr=log
        )
        server = Server(name, port, process)
        try:
            _wait(server)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def _wait(server: Server) -> None:
    for _ in range(300):
        try:
            server.call("GET", "/api/v2/heartbeat")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{server.name} did not start")


def fill(server: Server, count: int) -> None:
    """A collection of that many records, and the memory before and after."""
    server.wait_until_quiet()
    server.idle = server.memory()
    server.filled = server.new_collection("filled")
    rows = min(1_000, count)
    generate(Load(server.port, server.filled, "add", rows, clients=1, requests=count // rows))
    server.wait_until_quiet()
    server.full = server.memory()


def generate(load: Load) -> Timing:
    """What the load generator, a process of its own, measures."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("load.py"))],
        input=json.dumps(asdict(load)).encode(),
        capture_output=True,
        check=True,
        timeout=600,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    timing = Timing(**json.loads(done.stdout))
    if timing.refused:
        raise RuntimeError(f"{timing.refused} of {load.requests} requests failed: {load}\n{done.stderr.decode()}")
    return timing


def measure(server: Server, work: Work, clients: int, requests: int, known: int, turn: int) -> None:
    path = server.filled
    if work.kind == "add":
        path = server.new_collection(f"add-{work.rows}-{clients}-{turn}")
    load = Load(server.port, path, work.kind, work.rows, clients, requests, known, seed=turn)
    server.timings.setdefault((work.kind, work.rows, clients), []).append(generate(load))


def median(server: Server, row: tuple[str, int, int]) -> Timing:
    timings = server.timings[row]
    return Timing(*(statistics.median(each) for each in zip(*(asdict(t).values() for t in timings), strict=True)))


def table(servers: list[Server]) -> str:
    lines = [
        "| what | clients | " + " | ".join(f"{s.name} req/s | p50 ms | p99 ms" for s in servers) + " | req/s ratio |",
        "|---" * (3 + 3 * len(servers)) + "|",
    ]
    for row in servers[0].timings:
        kind, rows, clients = row
        medians = [median(server, row) for server in servers]
        cells = [f"{m.requests_per_second:,.0f} | {m.p50_ms:,.2f} | {m.p99_ms:,.2f}" for m in medians]
        ratio = medians[0].requests_per_second / medians[-1].requests_per_second
        lines.append(f"| {kind} {rows:,} | {clients} | " + " | ".join(cells) + f" | {ratio:.1f} |")
    lines += [f"\n| MiB of memory | {' | '.join(KINDS.values())} |", "|---" * (1 + len(KINDS)) + "|"]
    for server in servers:
        for when, memory in (("idle", server.idle), ("with all records", server.full)):
            lines.append(f"| {server.name}, {when} | " + " | ".join(f"{memory[kind]:,.0f}" for kind in memory) + " |")
    return "\n".join(lines)


def figures(servers: list[Server]) -> dict[str, Any]:
    return {
        server.name: {
            "idle_mb": server.idle,
            "full_mb": server.full,
            "rows": [
                {"kind": kind, "rows": rows, "clients": clients, **asdict(median(server, (kind, rows, clients)))}
                for kind, rows, clients in server.timings
            ],
        }
        for server in servers
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chroma", help="the chroma program of an environment with chromadb")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few requests for each row")
    options = parser.parse_args()
    commands = {"chroma-plugin": [sys.executable, "-m", "chroma_plugin.cli", "run"]}
    if options.chroma:
        commands["chroma"] = [options.chroma, "run"]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(started(name, command, directory)) for name, command in commands.items()]
        for server in servers:
            fill(server, options.records)
        for turn in range(options.rounds):
            for work in WORKS:
                for clients, requests in zip(CLIENTS, work.requests, strict=True):
                    asked = min(requests, QUICK) if options.quick else requests
                    # Who goes first changes.
                    for server in servers if turn % 2 == 0 else servers[::-1]:
                        measure(server, work, clients, asked, options.records, turn)
            print(f"round {turn + 1} of {options.rounds}", file=sys.stderr)
        print(table(servers))
        if options.json:
            options.json.write_text(json.dumps(figures(servers), indent=2) + "\n")


if __name__ == "__main__":
    main()
