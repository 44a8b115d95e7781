"""One plug-in, imported and asked: what it registers, and a row for everything that went wrong.

Each plug-in gets a pluggy manager of its own. pluggy calls all implementations of a hook in a row and stops at the
first exception; alone, a broken plug-in can spoil nothing but itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chroma_plugin.frozen import frozen
from chroma_plugin.plugins.checks import KINDS, as_specs, names_of, wrong_field, wrong_version
from chroma_plugin.plugins.discovery import Source
from chroma_plugin.plugins.reporting import Row, State
from chroma_plugin.plugins.specs import BackendSpec, EmbeddingSpec, IntegrationSpec, Spec
from chroma_plugin.plugins.trace import Trace
from chroma_plugin.wording import did_you_mean, shown

if TYPE_CHECKING:
    import pluggy

HOOKS: Final[dict[str, type[Spec]]] = {
    "register_backends": BackendSpec,
    "register_embedding_functions": EmbeddingSpec,
    "register_integrations": IntegrationSpec,
}

FAILURES: Final = (Exception, SystemExit)
"""What somebody else's module may raise when it is imported or called; some call sys.exit."""


@frozen
class Claim:
    """A checked spec and the plug-in it came from."""

    source: Source
    kind: type[Spec]
    spec: Spec

    @property
    def names(self) -> tuple[str, ...]:
        return (self.spec.name, *self.spec.aliases)


@dataclass(slots=True)
class Collected:
    """What one plug-in gave."""

    claims: list[Claim] = field(default_factory=list)
    problems: list[Row] = field(default_factory=list)


def collect(source: Source, trace: Trace | None = None) -> Collected:
    """Import the plug-in, call its hooks and check what they return. Never raises because of the plug-in."""
    collected = Collected()
    try:
        plugin = source.load()
        manager = _manager(plugin, source.name, trace)
        collected.problems += [source.row(State.BROKEN, reason) for reason in _misspelt(manager, plugin)]
    except FAILURES as error:
        collected.problems.append(source.row(State.BROKEN, _told(error)))
        return collected
    for hook, kind in HOOKS.items():
        _collect_hook(manager, hook, kind, source, collected)
    return collected


def _manager(plugin: object, name: str, trace: Trace | None) -> pluggy.PluginManager:
    import pluggy

    from chroma_plugin.plugins import hookspecs

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    if trace is not None:
        manager.trace.root.setwriter(trace)
        manager.enable_tracing()
    manager.register(plugin, name)
    return manager


def _misspelt(manager: pluggy.PluginManager, plugin: object) -> Iterator[str]:
    """Functions that are marked as hooks we do not have, or named like hooks and not marked; else: no hook at all.

    The first is what pluggy's ``check_pending`` finds; it would stop at one and not say which name is meant.
    """
    callers = manager.get_hookcallers(plugin) or []
    for caller in callers:
        if not caller.has_spec():
            yield f"it implements the unknown hook {caller.name!r}.{did_you_mean(caller.name, HOOKS)}"
    marked = {caller.name for caller in callers}
    unmarked = [hook for hook in HOOKS if hook not in marked and callable(getattr(plugin, hook, None))]
    for hook in unmarked:
        yield f"{hook} is not marked as a hook; put @chroma_plugin.plugins.hookimpl above it"
    if not callers and not unmarked:
        yield f"it has no hook; it needs one of {', '.join(HOOKS)}"


def _collect_hook(
    manager: pluggy.PluginManager, hook: str, kind: type[Spec], source: Source, collected: Collected
) -> None:
    try:
        returned = [item for result in getattr(manager.hook, hook)() for item in as_specs(result)]
    except FAILURES as error:
        collected.problems.append(source.row(State.BROKEN, f"{hook}: {_told(error)}", KINDS[kind]))
        return
    for item in returned:
        _collect_spec(item, hook, kind, source, collected)


def _collect_spec(item: object, hook: str, kind: type[Spec], source: Source, collected: Collected) -> None:
    if not isinstance(item, kind):
        reason = f"{hook} must return {kind.__name__}s, got {shown(item)}"
        collected.problems.append(source.row(State.BROKEN, reason, KINDS[kind]))
        return
    outdated = wrong_version(item)
    # Fields of another version are not ours to judge.
    wrong = outdated or wrong_field(item) or _twice(item, kind, collected)
    if wrong:
        state = State.OUTDATED if outdated else State.BROKEN
        collected.problems.append(source.row(state, wrong, KINDS[kind], names_of(item)))
    else:
        collected.claims.append(Claim(source, kind, item))


def _twice(spec: Spec, kind: type[Spec], collected: Collected) -> str:
    taken = {name for claim in collected.claims if claim.kind is kind for name in claim.names}
    repeated = sorted(taken.intersection(names_of(spec)))
    return f"it registers {repeated[0]!r} twice" if repeated else ""


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
