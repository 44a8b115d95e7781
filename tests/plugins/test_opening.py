"""From a spec to an open backend: requirements, imports, options."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from chroma_plugin.backend import Backend
from chroma_plugin.errors import InvalidArgumentError, MissingDependencyError, PluginError, UnreachableError
from chroma_plugin.plugins import BackendSpec, EmbeddingSpec, IntegrationSpec, PluginManager, load, open_backend

ENGINE = """
    from dataclasses import dataclass, field
    from enum import Enum
    from pathlib import Path
    from typing import Literal, Mapping
    from chroma_plugin.backend import Backend

    class Mode(Enum):
        WAL = "wal"

    @dataclass(frozen=True)
    class Options:
        where: str | Path
        size: int = 1
        share: float = 0.5
        sync: bool = True
        limit: int | None = 9
        folder: Path = Path(".")
        journal: Literal["wal", "off"] = "off"
        mode: Mode = Mode.WAL
        headers: Mapping[str, str] = field(default_factory=dict)
        password: str = ""

        def __post_init__(self):
            if self.size < 0:
                raise ValueError("size must not be negative")

    class Engine(Backend):
        def __init__(self, options): self.options = options
        def list_collections(self, tenant, database): return []
        def create_collection(self, info): ...
        def update_collection(self, info): ...
        def drop_collection(self, info): ...
        def open_collection(self, info): ...

    def wrong(options): return options

    @dataclass
    class Unresolvable:
        where: "NoSuchType"
"""


@pytest.fixture
def spec(install) -> BackendSpec:
    """A backend with options of every type."""
    install("engine", {}, fake_engine=ENGINE)
    return BackendSpec(name="fake", open="fake_engine:Engine", options="fake_engine:Options")


def opened(spec: BackendSpec, **options: object) -> Backend:
    return open_backend(spec, {"where": "here", **options})


@pytest.mark.parametrize(
    ("option", "given", "expected"),
    [
        ("where", "here", "here"),
        ("where", Path("here"), Path("here")),
        ("size", "12", 12),
        ("share", "0.25", 0.25),
        ("share", 1, 1.0),
        ("sync", "no", False),
        ("sync", "TRUE", True),
        ("limit", "12", 12),
        ("limit", "none", None),
        ("limit", None, None),
        ("folder", "data", Path("data")),
        ("journal", "wal", "wal"),
        ("headers", '{"a": "b"}', {"a": "b"}),
    ],
)
def test_options_are_read_as_their_type(spec, option, given, expected):
    """Text becomes the type that the option declares; what fits already is passed on as it is."""
    value = getattr(opened(spec, **{option: given}).options, option)

    assert value == expected
    assert type(value) is type(expected)


def test_text_becomes_an_enum_member(spec):
    """An option that is an Enum takes the value of a member."""
    assert opened(spec, mode="wal").options.mode.name == "WAL"


@pytest.mark.parametrize(
    ("option", "given"),
    [
        ("size", "many"),
        ("size", 1.5),
        ("size", True),
        ("size", None),
        ("sync", "perhaps"),
        ("sync", 2),
        ("share", "wide"),
        ("where", 7),
        ("where", b"bytes"),
        ("journal", "loud"),
        ("mode", "loud"),
        ("headers", "[1]"),
        ("headers", "not json"),
    ],
)
def test_options_of_the_wrong_type_are_refused(spec, option, given):
    """A value that is not of the declared type is an error that names the backend and the option."""
    with pytest.raises(InvalidArgumentError, match=f"Backend 'fake': option '{option}' must be"):
        opened(spec, **{option: given})


def test_a_secret_is_not_in_the_message(spec):
    """The error about a wrong password does not show it."""
    with pytest.raises(InvalidArgumentError) as caught:
        opened(spec, password=12345678)

    assert "12345678" not in str(caught.value)


def test_unknown_option_suggests_the_nearest(spec):
    """An option that the backend does not have is refused, with the nearest and the list."""
    with pytest.raises(InvalidArgumentError, match=r"no option 'jornal'. Did you mean 'journal'\? Its options: where,"):
        opened(spec, jornal="wal")


def test_missing_option_is_named(spec):
    """A required option that was not given is named."""
    with pytest.raises(InvalidArgumentError, match="needs the option 'where'"):
        open_backend(spec)


def test_what_the_options_refuse_is_our_error(spec):
    """A ValueError from the dataclass becomes an InvalidArgumentError with its text."""
    with pytest.raises(InvalidArgumentError, match="Backend 'fake' refuses its options: size must not be negative"):
        opened(spec, size=-1)


def test_open_must_return_a_backend(spec):
    """A callable that returns something else is a fault of the plug-in, and is named."""
    wrong = BackendSpec(name="fake", open="fake_engine:wrong", options=spec.options)
    with pytest.raises(PluginError, match="Backend 'fake': fake_engine:wrong must return a Backend"):
        opened(wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("fake_engine:Mode", "must name a dataclass"),
        ("fake_engine:Absent", "AttributeError"),
        ("fake_engine:Unresolvable", "Import it outside TYPE_CHECKING"),
    ],
)
def test_bad_options_class_is_the_plugins_fault(spec, options, message):
    """Options that are no dataclass, are missing or have unknown types are a PluginError."""
    with pytest.raises(PluginError, match=message):
        opened(BackendSpec(name="fake", open=spec.open, options=options))


def test_load_gives_what_the_target_names():
    """load() imports 'module:attribute', dotted attributes too, for all three kinds of spec."""
    assert load(EmbeddingSpec(name="x", load="pathlib:Path")) is Path
    assert load(IntegrationSpec(name="x", load="pathlib:Path.cwd")) == Path.cwd


@pytest.mark.parametrize("target", ["pathlib", "pathlib.Path", "pathlib:", "no_such_module:x", "pathlib:Nothing", ":x"])
def test_bad_target_names_the_spec(target):
    """A target that is malformed or leads nowhere is a PluginError that says whose it is."""
    with pytest.raises(PluginError, match="Integration 'x'"):
        load(IntegrationSpec(name="x", load=target))


@pytest.mark.parametrize("module", ["no_such_module", "no_such_module.inner", "os.inner"])
def test_missing_requirement_gives_the_install_line(module):
    """A missing module is reported before anything is imported, with the line that installs it."""
    spec = BackendSpec("x", "no:open", "no:Options", requires=(module,), install="pip install x[y]")
    with pytest.raises(MissingDependencyError, match=rf"Backend 'x' needs {module}: pip install x\[y\]"):
        open_backend(spec)


def test_rest_opens_a_connection():
    """The name 'rest' is known, and opening it goes to the server: nobody listens at a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spec = PluginManager(discover=False).backend("rest")
    with pytest.raises(UnreachableError, match=f"Nothing listens at 127.0.0.1:{port}"):
        open_backend(spec, {"chroma_server_host": "127.0.0.1", "chroma_server_http_port": str(port), "retries": 0})


def test_options_that_need_the_missing_requirement_give_the_install_line(install):
    """When even the options can't be imported without the requirement, the answer is still what to install."""
    install("needy", {}, needy_options="import no_such_module\n")
    spec = BackendSpec("x", "no:open", "needy_options:Options", requires=("no_such_module",), install="pip install y")
    with pytest.raises(MissingDependencyError, match="Backend 'x' needs no_such_module: pip install y"):
        PluginManager(discover=False).option_fields(spec)
