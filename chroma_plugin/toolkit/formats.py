"""Files of a later release are refused, with the release that reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from chroma_plugin.errors import FormatVersionError
from chroma_plugin.version import __version__

_RELEASE: Final = re.compile(r"\d+(\.\d+)*((a|b|rc|\.dev|\.post)\d+)?")


def refuse_newer(path: Path, found: object, known: int, written_by: object) -> None:
    """Raises FormatVersionError when a file has a format that this release does not know."""
    if not isinstance(found, int) or found <= known:
        return
    # It comes from the file: nothing but a version is repeated.
    release = written_by if isinstance(written_by, str) and _RELEASE.fullmatch(written_by) else None
    by, wanted = (f"chroma-plugin {release}", f">={release}") if release else ("a later release", "")
    raise FormatVersionError(
        f"{path} has format {found}, written by {by}; this release, {__version__}, reads up to format {known}. "
        f"Upgrade: pip install -U 'chroma-plugin{wanted}'"
    )
