"""Programs of other people: installed once, run in environments of their own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from support.server import HOST, free_port

INSTALL_SECONDS: Final = 900
Address = tuple[str, int]


def run(
    command: Sequence[str | Path],
    *,
    seconds: float = INSTALL_SECONDS,
    cwd: Path | None = None,
    codes: Sequence[int] = (0,),
    **variables: str,
) -> str:
    """What the command printed. With another exit code than those allowed, the test fails and shows what it wrote.

    It does not see what Chroma, Python and pytest read from the environment here.
    """
    ours = ("CHROMA", "PYTHON", "PYTEST")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    done = subprocess.run(
        command, env={**clean, **variables}, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False
    )
    wrote = f"{done.stdout[-8000:]}\n{done.stderr[-8000:]}"
    assert done.returncode in codes, f"{command} ended with {done.returncode}:\n{wrote}"
    return done.stdout


@contextmanager
def kept_folder(parent: Path, name: str, wanted: Path) -> Iterator[tuple[Path, bool]]:
    """A folder for what a file asks for, and whether it still has to be filled; one process at a time is in here.

    It counts as filled when the block ends without an error.
    """
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = parent / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "complete"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, not done.exists()
        done.touch()


@contextmanager
def chroma_run(python: Path, directory: Path) -> Iterator[Address]:
    """Chroma's own server, on a new database on disk, that may be reset."""
    port = free_port()
    settings = directory / "chroma.yaml"
    database = directory / "theirs"
    settings.write_text(f'port: {port}\nlisten_address: "{HOST}"\npersist_path: "{database}"\nallow_reset: true\n')
    command = [str(python.with_name("chroma")), "run", str(settings)]
    with (directory / "chroma.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
        try:
            _wait_for_heartbeat(port, process)
            yield HOST, port
        finally:
            process.terminate()
            process.wait(30)


def _wait_for_heartbeat(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended while starting"
        with suppress(OSError), urllib.request.urlopen(f"http://{HOST}:{port}/api/v2/heartbeat", timeout=2):
            return
        time.sleep(0.2)
    raise AssertionError("the server did not start within a minute")
