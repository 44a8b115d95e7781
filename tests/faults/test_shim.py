"""Nothing changes a file without the shim seeing it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from faults import disks
from faults.disks import Disk, Model
from faults.judging import what
from faults.nursery import Nursery
from faults.shim import NONE, Kind
from faults.sizes import Size

_SIZE = Size(seed=1, length=12, points=0)


def test_a_record_makes_the_same_directory(nursery: Nursery, tmp_path: Path) -> None:
    """Every byte of every file is what the recorded changes make of it: no write went past."""
    place, log, image = tmp_path / "store", tmp_path / "log", tmp_path / "image"
    outcome = nursery.run("workload:work", directory=str(place), **what(_SIZE), fault=NONE.plain(), log=str(log))
    assert not outcome.status, outcome.errors
    disk = Disk(place)
    for change in disks.read(log):
        if change.kind is not Kind.NOTE:
            disk.apply(change)
    disk.write(image, Model.KEEP, 0)

    assert _contents(image) == _contents(place)


def _contents(place: Path) -> dict[Path, bytes]:
    return {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.faults
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_system_sees_as_many_changes(tmp_path: Path, nursery: Nursery) -> None:
    """Each call that reaches the system was counted: syncs, writes, names."""
    place, log, calls = tmp_path / "store", tmp_path / "log", tmp_path / "calls"
    script = (
        "import sys; from faults import workload; "
        f"workload.work({str(place)!r}, 1, 12, {NONE.plain()!r}, log={str(log)!r})"
    )
    traced = "fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,ftruncate"
    traced += ",truncate,pwrite64,pwritev,pwritev2,fallocate,copy_file_range,sendfile,write,writev"
    command = ["strace", "-f", "-y", "-qq", "-s", "0", "-e", f"trace={traced}", "-o", str(calls)]
    environment = nursery.environment
    done = subprocess.run(
        [*command, sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    if "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr}")
    assert not done.returncode, done.stderr
    seen = Counter(_NAMES[change.kind] for change in disks.read(log) if change.kind in _NAMES)
    told = Counter[str]()
    for line in calls.read_text().splitlines():
        call = re.search(r"(\w+)\(.*", line)
        if call and str(place) in line and str(log) not in line and not re.search(r"= -1 |unfinished|/proc/", line):
            told[_CALLS[call[1]]] += 1

    assert told == seen


_NAMES = {
    Kind.SYNC: "sync",
    Kind.WRITE: "write",
    Kind.RENAME: "rename",
    Kind.LINK: "link",
    Kind.REMOVE: "remove",
    Kind.MAKE_DIRECTORY: "mkdir",
    Kind.RESIZE: "size",
    Kind.ALLOCATE: "size",
}
_CALLS = {
    **dict.fromkeys(("fsync", "fdatasync"), "sync"),
    **dict.fromkeys(("rename", "renameat", "renameat2"), "rename"),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), "remove"),
    **dict.fromkeys(("mkdir", "mkdirat"), "mkdir"),
    **dict.fromkeys(("link", "linkat"), "link"),
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev", "pwritev2"), "write"),
    **dict.fromkeys(("ftruncate", "truncate", "fallocate", "copy_file_range", "sendfile"), "size"),
}
