"""What every test run needs."""

from __future__ import annotations

import os

# Before numpy is imported: with several workers on few cores, BLAS threads that wait for each other cost seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
