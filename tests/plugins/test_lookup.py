"""Names become specs: in which order places are asked, and what is imported on the way."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from chroma_plugin.errors import PluginError, UnknownPluginError
from chroma_plugin.plugins import BackendSpec, EmbeddingSpec, IntegrationSpec, PluginManager, default_manager, hookimpl


def plugin(*specs):
    """A plug-in object that registers these."""

    def of(kind):
        return hookimpl(lambda: [spec for spec in specs if isinstance(spec, kind)])

    return SimpleNamespace(
        __name__="given",
        register_backends=of(BackendSpec),
        register_embedding_functions=of(EmbeddingSpec),
        register_integrations=of(IntegrationSpec),
    )


def backend(name, **fields):
    return BackendSpec(name=name, open="nowhere:open", options="nowhere:Options", **fields)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("asked", "name"),
    [("memory", "memory"), ("ephemeral", "memory"), ("duckdb", "duckdb"), ("duckdb+parquet", "duckdb")],
)
def test_builtin_names_and_aliases(asked, name):
    """The built-in backends are found by name and by alias."""
    assert PluginManager(discover=False).backend(asked).name == name


def test_given_plugins_of_all_kinds():
    """An object passed to the manager is a plug-in like any other, for each kind."""
    specs = (
        backend("mine"),
        EmbeddingSpec(name="mine", load="nowhere:Embed"),
        IntegrationSpec(name="mine", load="nowhere:adapt"),
    )
    manager = PluginManager([plugin(*specs)], discover=False)

    assert (manager.backend("mine"), manager.embedding_function("mine"), manager.integration("mine")) == specs
    assert specs[0] in manager.backends()
    assert specs[1] in manager.embedding_functions()
    assert specs[2] in manager.integrations()


def test_lists_are_sorted_by_name():
    """backends() is sorted by name, whatever the order of registration."""
    manager = PluginManager([plugin(backend("zebra"), backend("ant"))], discover=False)
    names = [spec.name for spec in manager.backends()]

    assert names == sorted(names)
    assert {"ant", "duckdb", "memory", "rest", "zebra"} <= set(names)


def test_given_wins_over_builtin_before_and_after_a_full_load():
    """Who passes a plug-in named like a built-in one means theirs, also once everything is loaded."""
    mine = backend("memory")
    manager = PluginManager([plugin(mine)], discover=False)

    assert manager.backend("memory") is mine
    manager.report()
    assert manager.backend("memory") is mine
    assert mine in manager.backends()


def test_unknown_name_says_what_exists_and_what_is_near():
    """The error for an unknown name lists the names and suggests the nearest."""
    with pytest.raises(UnknownPluginError, match=r"named 'duckbd'. Did you mean 'duckdb'\?") as caught:
        PluginManager(discover=False).backend("duckbd")

    assert "memory (or ephemeral)" in str(caught.value)


def test_names_are_case_sensitive():
    """Another case is another name, but the suggestion knows."""
    with pytest.raises(UnknownPluginError, match="Did you mean 'memory'"):
        PluginManager(discover=False).backend("MEMORY")


def test_entry_point_of_the_wanted_name_is_imported_alone(install, good):
    """Looking up an installed backend by its entry point's name imports no other third-party plug-in."""
    install("plug-a", {"alpha": "alpha_plugin"}, alpha_plugin=good("alpha"))
    install("plug-b", {"beta": "beta_plugin"}, beta_plugin=good("beta"))

    assert PluginManager().backend("alpha").name == "alpha"
    assert "beta_plugin" not in sys.modules


def test_name_behind_another_entry_point_is_found(install, good):
    """A backend whose entry point has another name is found too, after all plug-ins were asked."""
    install("plug-a", {"something": "alpha_plugin"}, alpha_plugin=good("alpha"))

    assert PluginManager().backend("alpha").open == "alpha_engine:open"


def test_builtin_is_not_shadowed_by_an_installed_one(install, good):
    """A distribution can't take a built-in name; the report says that it tried."""
    install("thief", {"memory": "thief_plugin"}, thief_plugin=good("memory"))
    manager = PluginManager()

    rows = [row for row in manager.report() if row.plugin == "memory" and row.distribution == "thief 1.0"]
    assert manager.backend("memory").open == "chroma_plugin_memory.backend:MemoryBackend"
    assert [row.state.value for row in rows] == ["duplicate"]
    assert "chroma-plugin" in rows[0].reason


def test_two_distributions_of_one_name_are_an_error_that_names_both(install, good):
    """Nobody can tell which of two is meant, so both are named; other names work."""
    install(
        "first", {"same": "first_plugin", "fine": "fine_plugin"}, first_plugin=good("same"), fine_plugin=good("fine")
    )
    install("second", {"same": "second_plugin"}, second_plugin=good("same"))
    manager = PluginManager()

    assert manager.backend("fine").name == "fine"
    with pytest.raises(PluginError, match="claimed by") as caught:
        manager.backend("same")
    assert "first 1.0" in str(caught.value)
    assert "second 1.0" in str(caught.value)
    assert "same" not in [spec.name for spec in manager.backends()]
    assert PluginManager(disable=["second"]).backend("same").open == "same_engine:open"


def test_entry_point_named_like_the_backend_wins_whatever_was_loaded_before(install, good):
    """The plug-in whose entry point has the very name holds it, before and after all are loaded."""
    install("squatter", {"other": "squatter_plugin"}, squatter_plugin=good("wanted"))
    install("owner", {"wanted": "owner_plugin"}, owner_plugin=good("wanted").replace("wanted_engine", "owner_engine"))
    manager = PluginManager()

    assert manager.backend("wanted").open == "owner_engine:open"
    manager.report()
    assert manager.backend("wanted").open == "owner_engine:open"


def test_importing_and_looking_up_imports_no_engine():
    """Importing the plug-ins package does not even import pluggy; a look-up imports that plug-in and no engine."""
    seen = run(
        "import sys, chroma_plugin.plugins as plugins\n"
        "manager = plugins.default_manager()\n"
        "print('pluggy' in sys.modules)\n"
        "manager.backend('duckdb')\n"
        "heavy = ('duckdb', 'hnswlib', 'tokenizers', 'safetensors', 'tqdm', 'langchain_core', 'chroma_plugin_memory')\n"
        "print([module for module in heavy if module in sys.modules])\n"
    )
    assert seen.splitlines() == ["False", "[]"]


def test_builtin_lookup_lists_no_distribution(monkeypatch):
    """A built-in name is answered without looking at what is installed."""
    monkeypatch.setattr("importlib.metadata.distributions", lambda: pytest.fail("it scanned"))

    assert PluginManager().backend("memory").name == "memory"


def test_default_manager_is_one():
    """The process has one default manager."""
    assert default_manager() is default_manager()


def test_a_plugin_may_look_up_another_while_it_is_imported(install, header):
    """A look-up from inside a plug-in's module neither hangs nor loads it twice."""
    source = header + "found = __import__('builtins').manager.backend('memory').name\n"
    source += "@hookimpl\ndef register_backends():\n    return [BackendSpec(found + '2', 'a:b', 'a:b')]\n"
    install("nested", {"memory2": "nested_plugin"}, nested_plugin=source)
    manager = PluginManager()
    import builtins

    builtins.manager = manager
    try:
        assert manager.backend("memory2").name == "memory2"
    finally:
        del builtins.manager
