"""What this process and a directory use: what must level off however long one goes on."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG


@dataclass(frozen=True)
class Usage:
    memory: int
    """Bytes in RAM, after collecting garbage and giving back what the allocator keeps."""
    disk: int
    files: int
    """In the directory."""
    descriptors: int
    threads: int
    mappings: int

    @classmethod
    def now(cls, directory: Path, pid: int | None = None) -> Usage:
        """Of this process, or of another."""
        if pid is None:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
        process = Path("/proc", str(pid or os.getpid()))
        found = []
        for path in directory.rglob("*"):
            with suppress(FileNotFoundError):  # it may go meanwhile
                found.append(path.stat())
        found = [each for each in found if S_ISREG(each.st_mode)]
        return cls(
            memory=int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            disk=sum(each.st_size for each in found),
            files=len(found),
            descriptors=len(list((process / "fd").iterdir())),
            threads=threading.active_count() if pid is None else len(list((process / "task").iterdir())),
            mappings=len((process / "maps").read_text().splitlines()),
        )

    def beyond(self, before: Usage, *, memory: int, disk: int) -> list[str]:
        """What has grown since by more than comes and goes: so many bytes, half of the disk, a few of the others."""
        grown = {
            "memory": self.memory > before.memory + memory,
            "disk": self.disk > before.disk + before.disk // 2 + disk,
            # A compaction has two of each of the three files of vectors for a moment.
            "files": self.files > before.files + 4,
            "descriptors": self.descriptors > before.descriptors + 3,
            "threads": self.threads > before.threads + 1,
            "mappings": self.mappings > before.mappings + 80,
        }
        return [f"{name}: {getattr(before, name)} -> {getattr(self, name)}" for name, grew in grown.items() if grew]
