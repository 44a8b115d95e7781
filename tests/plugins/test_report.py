"""A plug-in that fails is a row, and the others still work."""

from __future__ import annotations

import sys

import pytest

import chroma_plugin.plugins as plugins
from chroma_plugin.errors import UnknownPluginError
from chroma_plugin.plugins import PluginManager
from chroma_plugin.plugins.reporting import State

REGISTER = "@hookimpl\ndef register_backends():\n"
SPEC = "BackendSpec(name='odd', open='odd:open', options='odd:Options'"

BROKEN = {
    "import error": ("import no_such_module_at_all\n", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "syntax error": ("def (\n", "SyntaxError"),
    "sys.exit on import": ("raise SystemExit(3)\n", "SystemExit: 3"),
    "raises in the hook": (REGISTER + "    raise OSError('no disk')\n", "register_backends: OSError: no disk"),
    "raises while iterated": (REGISTER + "    yield 1 / 0\n", "ZeroDivisionError"),
    "one spec, no list": (REGISTER + f"    return {SPEC})\n", "must return an iterable of specs"),
    "a string": (REGISTER + "    return 'odd'\n", "must return an iterable of specs, got 'odd'"),
    "wrong items": (REGISTER + "    return ['odd']\n", "must return BackendSpecs, got 'odd'"),
    "wrong kind of spec": (REGISTER + "    return [EmbeddingSpec('odd', 'a:b')]\n", "must return BackendSpecs"),
    "unknown field": (REGISTER + f"    return [{SPEC}, speed=9)]\n", "unexpected keyword argument 'speed'"),
    "bad target": (
        REGISTER + "    return [BackendSpec('odd', 'odd.open', 'a:b')]\n",
        "open must be 'module:attribute'",
    ),
    "bad options": (REGISTER + "    return [BackendSpec('odd', 'a:b', None)]\n", "options must be 'module:attribute'"),
    "aliases as a str": (REGISTER + f"    return [{SPEC}, aliases='o')]\n", "aliases must be a tuple of str"),
    "empty name": (REGISTER + "    return [BackendSpec('', 'a:b', 'a:b')]\n", "a name must be a str"),
    "numeric name": (REGISTER + "    return [BackendSpec(7, 'a:b', 'a:b')]\n", "a name must be a str"),
    "one name twice": (REGISTER + f"    return [{SPEC}), {SPEC})]\n", "it registers 'odd' twice"),
    "misspelt hook": (
        "@hookimpl\ndef register_backend():\n    return []\n",
        "unknown hook 'register_backend'. Did you mean 'register_backends'?",
    ),
    "unmarked hook": ("def register_backends():\n    return []\n", "register_backends is not marked as a hook"),
    "no hook": ("x = 1\n", "it has no hook"),
    "hook with arguments": ("@hookimpl\ndef register_backends(config):\n    return []\n", "config"),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_is_a_row_and_spoils_nothing(install, good, header, source, reason):
    """Every way of being broken gives a row with the reason; the good plug-in and the built-in ones work."""
    install("odd-plugin", {"odd_entry": "odd_plugin"}, odd_plugin=header + source)
    install("good-plugin", {"other_entry": "good_plugin"}, good_plugin=good("good"))
    manager = PluginManager()

    broken = [row for row in manager.report() if row.distribution == "odd-plugin 1.0" and row.state is State.BROKEN]
    assert len(broken) == 1
    assert reason in broken[0].reason
    assert manager.backend("good").name == "good"
    assert manager.backend("memory").name == "memory"
    with pytest.raises(UnknownPluginError) as caught:
        manager.backend("absent")
    assert "odd_entry (odd-plugin 1.0): broken" in str(caught.value)


def test_one_bad_hook_keeps_the_good_ones(install, header):
    """A plug-in with a misspelt and a correct hook gives its correct one."""
    source = header + REGISTER + f"    return [{SPEC})]\n" + "@hookimpl\ndef register_integration():\n    return []\n"
    install("half", {"odd": "half_plugin"}, half_plugin=source)
    manager = PluginManager()

    assert manager.backend("odd").name == "odd"
    assert sorted(row.state.value for row in manager.report() if row.plugin == "odd") == ["broken", "ok"]


def test_outdated_plugin(install, header):
    """A spec for another API version is reported with both versions and not used."""
    install("old", {"odd": "old_plugin"}, old_plugin=header + REGISTER + f"    return [{SPEC}, api=99)]\n")
    manager = PluginManager()

    with pytest.raises(
        UnknownPluginError, match="outdated: written for API 99 of chroma_plugin, this release has API 1"
    ):
        manager.backend("odd")
    assert [row.state for row in manager.report() if row.plugin == "odd"] == [State.OUTDATED]


@pytest.mark.parametrize("switch", ["alpha", "plug-a", "x, alpha", "*"])
def test_disabled_plugin_is_not_imported(install, good, monkeypatch, switch):
    """CHROMA_PLUGIN_DISABLE names plug-ins or distributions; they are a row and are never imported."""
    install("plug-a", {"alpha": "alpha_plugin"}, alpha_plugin=good("alpha"))
    monkeypatch.setenv("CHROMA_PLUGIN_DISABLE", switch)
    manager = PluginManager()

    with pytest.raises(UnknownPluginError, match=r"alpha \(plug-a 1.0\): disabled"):
        manager.backend("alpha")
    assert [row.state for row in manager.report() if row.plugin == "alpha"] == [State.DISABLED]
    assert "alpha_plugin" not in sys.modules
    assert manager.backend("memory").name == "memory"


def test_a_builtin_can_be_disabled_by_name():
    """The switch works for our own plug-ins as well."""
    with pytest.raises(UnknownPluginError, match="disabled"):
        PluginManager(discover=False, disable=["duckdb"]).backend("duckdb")


def test_missing_requirement_is_a_row(install, header):
    """A plug-in whose requirement is not installed is listed with the line that installs it."""
    source = header + REGISTER + f"    return [{SPEC}, requires=('no_such_mod',), install='pip install no-such')]\n"
    install("needy", {"odd": "needy_plugin"}, needy_plugin=source)

    (row,) = [row for row in PluginManager().report() if row.plugin == "odd"]
    assert row.state is State.MISSING
    assert row.reason == "needs no_such_mod: pip install no-such"


def test_unreadable_entry_points_hide_nobody(install, good):
    """A distribution with a damaged entry_points.txt is a row; the others are found."""
    site = install("damaged", {})
    next(site.glob("*.dist-info")).joinpath("entry_points.txt").write_bytes(b"[chroma_plugin]\n\xff\xfe = x\n")
    install("plug-a", {"alpha": "alpha_plugin"}, alpha_plugin=good("alpha"))
    manager = PluginManager()

    assert manager.backend("alpha").name == "alpha"
    assert [row.state for row in manager.report() if row.plugin == "damaged-1.0.dist-info"] == [State.BROKEN]


def test_builtins_stand_once_and_work():
    """Our own plug-ins are in the report once, although the wheel declares them as entry points as well."""
    names = [name for row in PluginManager().report() if row.kind == "backend" for name in row.names]

    assert len(names) == len(set(names))
    assert {"memory", "duckdb", "rest"} <= set(names)


def test_str_is_a_table_with_one_line_per_row():
    """The report prints as a table: a header, then a line for each row."""
    report = plugins.report()
    lines = str(report).splitlines()

    assert len(lines) == len(report) + 1
    assert lines[0].split() == ["plug-in", "distribution", "kind", "names", "state", "reason"]
    assert any(line.startswith("memory") and "memory, ephemeral" in line for line in lines)


def test_trace_shows_discovery_and_results(install, good, monkeypatch, capsys):
    """CHROMA_PLUGIN_TRACE=1 writes what is found, which hooks are called, and what they return to stderr."""
    install("plug-a", {"alpha": "alpha_plugin"}, alpha_plugin=good("alpha"))
    monkeypatch.setenv("CHROMA_PLUGIN_TRACE", "1")
    PluginManager().backend("alpha")
    told = capsys.readouterr().err

    assert "loading 'alpha' of plug-a 1.0" in told
    assert "register_backends" in told
    assert "BackendSpec(name='alpha'" in told


def test_no_trace_without_the_switch(capsys):
    """Nothing is written unless somebody asked."""
    PluginManager().report()

    assert capsys.readouterr() == ("", "")
