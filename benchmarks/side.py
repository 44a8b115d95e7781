"""One engine of a benchmark: its process, which is asked in JSON, and what was measured of it."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""pip compiles what it installs; what runs from a checkout is compiled once as well."""
AT_FIRST = ("about", "open", "open_and_query", "disk", "churn")
"""What can be asked of an engine that has no database open."""
Answer = dict[str, Any]


@dataclass
class Side:
    """An engine, its process, and what was measured of it."""

    name: str
    python: str
    folder: Path
    database: Path
    about: Answer = field(default_factory=dict)
    measured: dict[str, list[Answer]] = field(default_factory=dict)
    sweep: list[Answer] = field(default_factory=list)
    """``ef``, ``recall`` and ``ms``."""
    missing: dict[str, str] = field(default_factory=dict)
    ef: int | None = None
    process: subprocess.Popen[str] | None = None
    patience: float = math.inf
    """Minutes that an answer may take."""
    late: Answer = field(default_factory=dict)
    """What is said of an answer that took longer, and of all until a database is opened again."""
    is_filled: bool = False
    """It is open, with all records."""

    def start(self) -> None:
        command = [self.python, str(HERE / "engine_process.py"), self.name, str(self.folder), str(self.database)]
        log = (self.database.parent / f"{self.name}.log").open("a")
        with log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=ENVIRONMENT,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait(120)
            self.process = None

    def end(self) -> None:
        """Without waiting for what it is doing; a server that it has started ends with it."""
        if self.process is None:
            return
        for how in (signal.SIGINT, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self.process = None
        self.is_filled = False

    def close(self) -> None:
        self.is_filled = False
        if self.process is not None:
            self.ask("close")
        self.stop()

    def ask(self, do: str, **options: Any) -> Answer:
        if self.process is None:
            if self.late and do not in AT_FIRST:
                return self.late
            self.start()
            self.late = {}
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        if process.poll() is None:
            process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            process.stdin.flush()
        most = None if self.patience == math.inf else 60 * self.patience
        if not select.select([process.stdout], [], [], most)[0]:
            self.end()
            self.late = {"missing": f"not finished in {self.patience:g} min"}
            return self.late
        line = process.stdout.readline()
        told: Answer = json.loads(line) if line else {"missing": f"its process ended in {do}"}
        return told

    def keep(self, key: str, answer: Answer) -> None:
        """An answer without a result is told once, as the reason."""
        print(self.name, key, answer.get("ms", answer.get("missing")), answer.get("recall", ""), file=sys.stderr)
        if "missing" in answer:
            self.missing[key] = answer["missing"]
        else:
            self.measured.setdefault(key, []).append(answer)

    def tune(self, recall: float) -> None:
        """Set the knob to the first setting that reached the recall, or to the last."""
        if not self.sweep or self.sweep[0]["ef"] is None:
            return
        reached = [point["ef"] for point in self.sweep if point["recall"] >= recall]
        wanted = reached[0] if reached else self.sweep[-1]["ef"]
        if wanted != self.ef:
            self.ask("ef", ef=wanted)
            self.ef = wanted
