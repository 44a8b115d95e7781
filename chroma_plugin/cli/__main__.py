"""``python -m chroma_plugin.cli``: the command line where its script is not on the path."""

from __future__ import annotations

from chroma_plugin.cli import main

main()
