"""Settings: what people write, and the backend and options that it means."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chroma_plugin.config import DEFAULT_DATABASE, DEFAULT_TENANT, DEFAULTS, FROM_ENVIRONMENT, Settings
from chroma_plugin.errors import InvalidArgumentError, UnknownPluginError
from chroma_plugin.plugins import BackendSpec, PluginManager, hookimpl
from chroma_plugin.plugins.options import build_options


@dataclass(frozen=True)
class ThirdOptions:
    persist_directory: str | Path
    journal: str = "off"


@dataclass(frozen=True)
class PlainOptions:
    speed: int = 1


def _third() -> SimpleNamespace:
    specs = [
        BackendSpec("third", "nowhere:open", f"{__name__}:ThirdOptions"),
        BackendSpec("plain", "nowhere:open", f"{__name__}:PlainOptions"),
    ]
    return SimpleNamespace(__name__="third", register_backends=hookimpl(lambda: specs))


@pytest.fixture
def manager() -> PluginManager:
    return PluginManager([_third()], discover=False)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings of the person who runs it."""
    for name in FROM_ENVIRONMENT:
        monkeypatch.delenv(name.upper(), raising=False)


LOCAL = [
    ({}, "memory", {}),
    ({"chroma_api_impl": "local"}, "memory", {}),
    ({"chroma_api_impl": "chromadb.api.segment.SegmentAPI"}, "memory", {}),
    ({"chroma_db_impl": "memory"}, "memory", {}),
    ({"chroma_db_impl": "ephemeral"}, "memory", {}),
    ({"chroma_api_impl": "memory"}, "memory", {}),
    ({"is_persistent": False}, "memory", {}),
    ({"persist_directory": None}, "memory", {}),
    ({"read_only": False, "anonymized_telemetry": True, "allow_reset": True}, "memory", {}),
    ({"persist_directory": "/x"}, "duckdb", {"persist_directory": "/x"}),
    ({"persist_directory": Path("/x")}, "duckdb", {"persist_directory": Path("/x")}),
    ({"is_persistent": True}, "duckdb", {}),
    ({"is_persistent": "true", "persist_directory": "/x"}, "duckdb", {"persist_directory": "/x"}),
    ({"chroma_db_impl": "duckdb"}, "duckdb", {}),
    ({"chroma_db_impl": "duckdb+parquet", "persist_directory": "/x"}, "duckdb", {"persist_directory": "/x"}),
    ({"chroma_db_impl": "chromadb.db.duckdb.PersistentDuckDB"}, "duckdb", {}),
    (
        {"persist_directory": "/x", "read_only": True, "anonymized_telemetry": False},
        "duckdb",
        {"persist_directory": "/x", "read_only": True},
    ),
    ({"chroma_db_impl": "third"}, "third", {"persist_directory": "./chroma"}),
    (
        {"chroma_db_impl": "third", "journal": "wal", "persist_directory": "/x"},
        "third",
        {"journal": "wal", "persist_directory": "/x"},
    ),
    ({"chroma_api_impl": "plain", "speed": "3"}, "plain", {"speed": "3"}),
    ({"chroma_db_impl": "plain", "is_persistent": True}, "plain", {}),
]


@pytest.mark.parametrize(("fields", "backend", "options"), LOCAL)
def test_which_backend_is_meant(manager, fields, backend, options):
    """Every way of writing it leads to the backend it means, with the options that were given for it."""
    target = Settings(**fields).target(manager)

    assert target.spec.name == backend
    assert target.options == options


def test_duckdb_without_a_directory_opens_the_default_one(manager):
    """A duckdb backend is always a directory; the default is ./chroma."""
    target = Settings(chroma_db_impl="duckdb").target(manager)

    assert build_options(target.spec, target.options).persist_directory == "./chroma"


@pytest.mark.parametrize("impl", ["rest", "chromadb.api.fastapi.FastAPI"])
def test_rest_as_the_early_documentation_writes_it(manager, impl):
    """The lines of the early documentation are understood: the port may be text."""
    settings = Settings(chroma_api_impl=impl, chroma_server_host="localhost", chroma_server_http_port="8000")
    target = settings.target(manager)
    options = build_options(target.spec, target.options)

    assert target.spec.name == "rest"
    assert (options.chroma_server_host, options.chroma_server_http_port) == ("localhost", 8000)


REFUSED = [
    ({"chroma_db_impl": "memory", "persist_directory": "/x"}, "persist_directory='/x' asks for files"),
    ({"chroma_db_impl": "memory", "persist_directory": "./chroma"}, "asks for files"),
    ({"chroma_db_impl": "memory", "is_persistent": True}, "is_persistent=True asks for files"),
    ({"is_persistent": False, "persist_directory": "/x"}, "is_persistent=False asks for memory"),
    ({"chroma_api_impl": "rest", "chroma_db_impl": "duckdb"}, "name two backends"),
    ({"read_only": True}, "'memory' has no option 'read_only'"),
    ({"chroma_server_host": "localhost"}, "Did you mean chroma_api_impl='rest'"),
    ({"chroma_api_impl": "rest", "persist_directory": "/x"}, "'rest' has no option 'persist_directory'"),
    ({"persist_dir": "/x"}, r"no option 'persist_dir'. Did you mean 'persist_directory'\?"),
    ({"chroma_db_imp": "duckdb"}, r"Did you mean 'chroma_db_impl'\?"),
    ({"chroma_db_impl": "third", "jornal": "wal"}, r"Did you mean 'journal'\? Its options: persist_directory, journal"),
    ({"chroma_db_impl": "duckdb", "journal": "wal"}, "'duckdb' has no option 'journal'"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_contradictions_and_unknown_settings_are_refused(manager, fields, message):
    """Settings that contradict each other, or that the backend does not have, are an error that says what to do."""
    with pytest.raises(InvalidArgumentError, match=message):
        Settings(**fields).target(manager)


@pytest.mark.parametrize("field", ["chroma_db_impl", "chroma_api_impl"])
def test_unknown_backend_suggests_the_nearest(manager, field):
    """A misspelt backend is an error with the nearest name."""
    with pytest.raises(UnknownPluginError, match="Did you mean 'duckdb'"):
        Settings(**{field: "duckbd"}).target(manager)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chroma_server_http_port", "http"),
        ("chroma_server_http_port", True),
        ("is_persistent", "maybe"),
        ("persist_directory", 7),
        ("chroma_db_impl", 7),
        ("chroma_server_headers", "X-Token: 1"),
    ],
)
def test_wrong_types_are_refused_at_once(field, value):
    """A known field of the wrong type is refused when the settings are made."""
    with pytest.raises(InvalidArgumentError, match=f"Settings: {field} must be"):
        Settings(**{field: value})


# -- environment ------------------------------------------------------------------------------------------------------


def test_environment_chooses_the_backend(manager, monkeypatch):
    """CHROMA_DB_IMPL and PERSIST_DIRECTORY are read as Chroma reads them."""
    monkeypatch.setenv("CHROMA_DB_IMPL", "duckdb+parquet")
    monkeypatch.setenv("PERSIST_DIRECTORY", "/env")
    target = Settings().target(manager)

    assert (target.spec.name, target.options) == ("duckdb", {"persist_directory": "/env"})


def test_environment_is_persistent(manager, monkeypatch):
    """IS_PERSISTENT asks for duckdb."""
    monkeypatch.setenv("IS_PERSISTENT", "TRUE")

    assert Settings().target(manager).spec.name == "duckdb"


def test_a_directory_in_the_environment_alone_asks_for_nothing(manager, monkeypatch):
    """PERSIST_DIRECTORY, which other programs set as well, does not move a client out of memory."""
    monkeypatch.setenv("PERSIST_DIRECTORY", "/env")

    assert Settings().target(manager).spec.name == "memory"
    assert Settings(is_persistent=True).target(manager).options == {"persist_directory": "/env"}


def test_arguments_win_over_the_environment(manager, monkeypatch):
    """Who chooses a backend by an argument gets it, whatever the environment says."""
    monkeypatch.setenv("CHROMA_API_IMPL", "rest")
    monkeypatch.setenv("CHROMA_DB_IMPL", "third")
    monkeypatch.setenv("IS_PERSISTENT", "1")
    monkeypatch.setenv("PERSIST_DIRECTORY", "/env")

    assert Settings(chroma_db_impl="memory").target(manager).spec.name == "memory"
    target = Settings(persist_directory="/argument").target(manager)
    assert (target.spec.name, target.options) == ("duckdb", {"persist_directory": "/argument"})


def test_environment_of_a_server_does_not_disturb(manager, monkeypatch):
    """What the backend has no use for is passed over when it comes from the environment, and used when it has."""
    monkeypatch.setenv("CHROMA_SERVER_HOST", "db.example")
    monkeypatch.setenv("CHROMA_SERVER_HTTP_PORT", "9000")

    assert Settings().target(manager).spec.name == "memory"
    assert Settings(chroma_api_impl="rest").target(manager).options == {
        "chroma_server_host": "db.example",
        "chroma_server_http_port": 9000,
    }


def test_environment_is_read_once(monkeypatch):
    """Settings keep what they read when they were made."""
    monkeypatch.setenv("ALLOW_RESET", "false")
    settings = Settings()
    monkeypatch.setenv("ALLOW_RESET", "true")

    assert settings.allow_reset is False


def test_bad_environment_is_named(monkeypatch):
    """The error for a bad value names the variable."""
    monkeypatch.setenv("ALLOW_RESET", "perhaps")
    with pytest.raises(InvalidArgumentError, match="The environment variable ALLOW_RESET must be bool"):
        Settings()


@pytest.mark.parametrize(("text", "expected"), [("false", False), ("/etc/ca.pem", "/etc/ca.pem")])
def test_ssl_verify_is_a_switch_or_a_path(monkeypatch, text, expected):
    """The words of a bool mean a bool, also where a path is allowed."""
    monkeypatch.setenv("CHROMA_SERVER_SSL_VERIFY", text)

    assert Settings().chroma_server_ssl_verify == expected


# -- a value object ---------------------------------------------------------------------------------------------------


def test_defaults():
    """Every known field can be read, also when it was not given."""
    settings = Settings()

    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert (settings.tenant, settings.database) == (DEFAULT_TENANT, DEFAULT_DATABASE)
    assert set(DEFAULTS) == set(Settings.__annotations__) - {"_arguments", "_environment"}


def test_attributes_and_completion():
    """Given fields are attributes, an unknown one suggests the nearest, and dir() lists all."""
    settings = Settings(chroma_server_http_port="8000", journal="wal")

    assert settings.chroma_server_http_port == 8000
    assert settings.journal == "wal"
    assert {"journal", "persist_directory", "replace"} <= set(dir(settings))
    with pytest.raises(AttributeError, match="Did you mean 'persist_directory'"):
        _ = settings.persist_dir


def test_settings_do_not_change():
    """Assigning and deleting are refused, and the caller's dict is not shared."""
    headers = {"a": "1"}
    settings = Settings(chroma_server_headers=headers)
    headers["a"] = "2"

    assert settings.chroma_server_headers == {"a": "1"}
    with pytest.raises(AttributeError, match=r"settings\.replace\(is_persistent=\.\.\.\)"):
        settings.is_persistent = True
    with pytest.raises(AttributeError, match="do not change"):
        del settings.is_persistent


def test_replace_makes_new_ones():
    """replace() changes what is named, keeps the rest, and takes away what is None."""
    first = Settings(chroma_db_impl="duckdb", persist_directory="/x")

    assert first.replace(persist_directory="/y") == Settings(chroma_db_impl="duckdb", persist_directory="/y")
    assert first.replace(persist_directory=None) == Settings(chroma_db_impl="duckdb")
    assert first == Settings(chroma_db_impl="duckdb", persist_directory="/x")
    assert first != "something else"


def test_copies_are_equal():
    """Settings can be copied and sent to another process."""
    settings = Settings(persist_directory=Path("/x"), chroma_server_headers={"a": "1"})

    assert pickle.loads(pickle.dumps(settings)) == settings
    assert copy.deepcopy(settings) == settings


def test_repr_shows_what_was_given_and_hides_secrets():
    """The repr can be read back, but for secrets."""
    assert repr(Settings(chroma_db_impl="third", journal="wal")) == "Settings(chroma_db_impl='third', journal='wal')"
    secret = Settings(
        chroma_client_auth_credentials="hunter2",
        chroma_server_headers={"X-Chroma-Token": "hunter2"},
        api_key="hunter2",
        url="postgres://me:hunter2@host/db",
    )
    assert "hunter2" not in repr(secret)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,12}", fullmatch=True), st.text(max_size=20), max_size=4))
def test_any_option_survives_until_the_backend_is_known(options):
    """Fields that are no settings of ours are kept exactly; `replace` with nothing gives equal settings."""
    options = {name: value for name, value in options.items() if name not in DEFAULTS}
    settings = Settings(**options)

    assert {name: getattr(settings, name) for name in options if name not in dir(Settings)} == {
        name: value for name, value in options.items() if name not in dir(Settings)
    }
    assert settings.replace() == settings
