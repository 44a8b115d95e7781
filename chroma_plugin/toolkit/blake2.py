"""BLAKE2, as `hashlib` hands it out, without OpenSSL, which that would load: 3 ms and 4 MB."""

from __future__ import annotations

try:
    from _blake2 import blake2b
except ImportError:  # a module of CPython's own
    from hashlib import blake2b

__all__ = ["blake2b"]
