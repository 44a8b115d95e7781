"""Faults put into the product on purpose: a harness that does not find them would find nothing."""

from __future__ import annotations


def plant(name: str) -> None:
    raise NotImplementedError(name)
