"""What is computed in C, where a compiler was at hand when the package was built (``hatch_build.py``).

Each part has its equal in numpy and Python, which answers the same and takes longer:

- ``measure``: the distances of some rows of a matrix (`chroma_plugin.distances`);
- ``Links``: a search along the links of an HNSW graph (`chroma_plugin.toolkit.point_index`);
- ``TextRows``: the texts of some rows of a file (`chroma_plugin.toolkit.text_rows`);
- ``IdRows``: the rows of some ids in it (`chroma_plugin.toolkit.sorted_ids`).

With ``CHROMA_PLUGIN_NO_EXTENSIONS`` in the environment nothing is compiled, and nothing that was is used.
"""

from __future__ import annotations

import os
import sys
from typing import Final


def _is_there() -> bool:
    # Arrays are read as they stand: little-endian, row numbers of 64 bits.
    if sys.byteorder != "little" or sys.maxsize < 2**32 or os.environ.get("CHROMA_PLUGIN_NO_EXTENSIONS"):
        return False
    try:
        from chroma_plugin.compiled import _native  # noqa: F401
    except ImportError:
        return False
    return True


IS_THERE: Final = _is_there()
"""Whether ``chroma_plugin.compiled._native`` can be imported and is to be used."""
