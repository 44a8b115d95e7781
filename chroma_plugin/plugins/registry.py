"""Who has which name: claims, resolved the same way whatever was loaded first; and the report about them."""

from __future__ import annotations

from typing import TypeVar

from chroma_plugin.errors import PluginError, UnknownPluginError
from chroma_plugin.plugins.checks import KINDS
from chroma_plugin.plugins.collecting import Claim, Collected
from chroma_plugin.plugins.discovery import Origin
from chroma_plugin.plugins.loading import missing_requirement
from chroma_plugin.plugins.reporting import Report, Row, State
from chroma_plugin.plugins.specs import BackendSpec, EmbeddingSpec, IntegrationSpec, Spec
from chroma_plugin.wording import did_you_mean

S = TypeVar("S", BackendSpec, EmbeddingSpec, IntegrationSpec)


class Registry:
    """The claims of the plug-ins that were loaded so far. Not thread-safe; the manager holds its lock."""

    def __init__(self) -> None:
        self._claims: list[Claim] = []
        self._problems: list[Row] = []

    def add(self, collected: Collected) -> None:
        self._claims += collected.claims
        self._problems += collected.problems

    def add_problems(self, rows: list[Row]) -> None:
        self._problems += rows

    def knows(self, kind: type[Spec], name: str) -> bool:
        return bool(self._holders(kind, name))

    def find(self, kind: type[S], name: str) -> S:
        """Raises UnknownPluginError when nobody has the name, PluginError when two have an equal right to it."""
        holders = self._holders(kind, name)
        if not holders:
            raise UnknownPluginError(self._unknown(kind, name))
        if len(holders) > 1:
            both = " and ".join(str(holder.source) for holder in holders)
            raise PluginError(
                f"The {KINDS[kind]} {name!r} is claimed by {both}. "
                "Uninstall all but one, or name the distributions to leave out in CHROMA_PLUGIN_DISABLE."
            )
        spec = holders[0].spec
        assert isinstance(spec, kind)
        return spec

    def all(self, kind: type[S]) -> tuple[S, ...]:
        found = [
            claim.spec
            for claim in self._claims
            if isinstance(claim.spec, kind) and self._holders(kind, claim.spec.name) == [claim]
        ]
        return tuple(sorted(found, key=lambda spec: spec.name))

    def report(self) -> Report:
        return Report((*(self._row(claim) for claim in self._claims), *self._problems))

    def _holders(self, kind: type[Spec], name: str) -> list[Claim]:
        """The claims with the best right to a name: more than one means that nobody can tell which is meant."""
        claims = [claim for claim in self._claims if claim.kind is kind and name in claim.names]
        best = min((_right(claim, name) for claim in claims), default=None)
        return [claim for claim in claims if _right(claim, name) == best]

    def _row(self, claim: Claim) -> Row:
        state, reason = self._state(claim)
        return claim.source.row(state, reason, KINDS[claim.kind], claim.names)

    def _state(self, claim: Claim) -> tuple[State, str]:
        for name in claim.names:
            others = [holder for holder in self._holders(claim.kind, name) if holder is not claim]
            if others:
                return State.DUPLICATE, f"{name!r} is also claimed by {' and '.join(str(o.source) for o in others)}"
        missing = missing_requirement(claim.spec)
        return (State.MISSING, missing) if missing else (State.OK, "")

    def _unknown(self, kind: type[Spec], name: str) -> str:
        claims = sorted((claim for claim in self._claims if claim.kind is kind), key=lambda claim: claim.names)
        names = [name for claim in claims for name in claim.names]
        known = ", ".join(_listed(claim) for claim in claims) or "none"
        failed = "".join(f"\n- {row}" for row in self._problems)
        return f"There is no {KINDS[kind]} named {name!r}.{did_you_mean(name, names)} Known: {known}." + (
            f"\nThese plug-ins failed to load or are disabled:{failed}" if failed else ""
        )


def _right(claim: Claim, name: str) -> tuple[Origin, bool]:
    """Smaller is better: who is asked first; then an installed plug-in whose entry point has the very name."""
    return claim.source.origin, claim.source.origin is Origin.INSTALLED and claim.source.name != name


def _listed(claim: Claim) -> str:
    name, *aliases = claim.names
    return f"{name} (or {', '.join(aliases)})" if aliases else name
