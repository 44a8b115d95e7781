"""Several reads and writes as one: what was read is asked again when the transaction ends, and only if every answer is
still the same are the writes made, all of them or none.

Nothing is locked before that moment. This is optimistic concurrency control with validation by value, as in the
transactional memory NOrec (Dalessandro, Spear and Scott, PPoPP 2010): since the answers are those of one moment, so is
the transaction, whatever others wrote meanwhile and whichever engine keeps the records.
"""

from __future__ import annotations

from chroma_plugin.transactions.answers import check
from chroma_plugin.transactions.transaction import Transaction, commit, writing

__all__ = ["Transaction", "check", "commit", "writing"]
