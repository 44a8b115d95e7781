"""``chroma-plugin run``: a server. ``chroma-plugin token``: a token for it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from chroma_plugin.cli.output import errors, say
from chroma_plugin.config import Settings
from chroma_plugin.errors import InvalidArgumentError

if TYPE_CHECKING:
    from chroma_plugin.server.app import Application
    from chroma_plugin.server.config import ServerConfig
    from chroma_plugin.server.serving import Listening
    from chroma_plugin.server.tokens import Tokens

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")


def run(
    path: Annotated[
        Path | None, typer.Option("--path", help="The directory of the store; default: ./chroma.", show_default=False)
    ] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", help="Another backend, by name.", show_default=False)
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="Where the database of the backend is.", envvar="CHROMA_PLUGIN_URL", show_default=False
        ),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the backend, name=value; may be repeated.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen.", envvar="CHROMA_PLUGIN_HOST")] = "localhost",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0: any free one.", envvar="CHROMA_PLUGIN_PORT")
    ] = 8000,
    auth: Annotated[
        Path | None,
        typer.Option("--auth", help="A file of tokens.", envvar="CHROMA_PLUGIN_AUTH_FILE", show_default=False),
    ] = None,
    token: Annotated[
        list[str] | None,
        typer.Option("--token", help="A token that may do everything; CHROMA_PLUGIN_TOKEN is less exposed."),
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve other machines without any token.")] = False,
    allow_reset: Annotated[bool, typer.Option("--allow-reset", help="Clients may delete everything.")] = False,
    cors_origin: Annotated[
        list[str] | None, typer.Option("--cors-origin", help="Web pages of this origin may call; may be repeated.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", help="A name clients call the server by; on loopback others are refused."),
    ] = None,
    ssl_certfile: Annotated[
        Path | None, typer.Option("--ssl-certfile", help="A certificate: serve HTTPS.", show_default=False)
    ] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option("--ssl-keyfile", help="Its key.", show_default=False)] = None,
    limit_body: Annotated[int, typer.Option("--limit-body", min=1, help="MiB of a request.")] = 64,
    limit_batch: Annotated[int, typer.Option("--limit-batch", min=1, help="Records in a request.")] = 100_000,
    limit_requests: Annotated[int, typer.Option("--limit-requests", min=1, help="Requests at work.")] = 1000,
    limit_seconds: Annotated[float, typer.Option("--limit-seconds", min=0.1, help="Seconds a request may take.")] = 300,
    limit_stalled: Annotated[
        float, typer.Option("--limit-stalled", min=0.1, help="Seconds a client may send nothing.")
    ] = 10,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads for reads, and for writes.")] = 8,
    access_log: Annotated[bool, typer.Option("--access-log", help="A line for every request.")] = False,
    json_log: Annotated[bool, typer.Option("--json-log", help="Log in JSON.")] = False,
) -> None:
    """Serve a store over HTTP, in Chroma's protocol: every client of Chroma's connects to it."""
    # The first process of a container is ended by no signal that it does not handle. `serving.prepare` takes over.
    signal.signal(signal.SIGTERM, _end_before_the_start)
    from chroma_plugin.server import Limits, create_app, missing

    try:
        from chroma_plugin.server import serving
    except ModuleNotFoundError as error:
        raise missing(error) from error
    from chroma_plugin.server.config import MEBIBYTE, ServerConfig

    tokens = _tokens(auth, token or [])
    _refuse_exposed(serving.is_loopback(host), bool(tokens), insecure, host)
    body = limit_body * MEBIBYTE
    config = ServerConfig(
        tokens=tokens,
        limits=Limits(
            body_bytes=body, buffered_bytes=4 * body, batch=limit_batch, concurrent=limit_requests,
            seconds=limit_seconds, stalled_seconds=limit_stalled, threads=threads,
        ),
        allow_reset=allow_reset,
        cors_origins=tuple(cors_origin or ()),
        allowed_hosts=_names(serving.is_loopback(host), host, allowed_host or []),
    )  # fmt: skip
    _check_files(ssl_certfile, ssl_keyfile)
    listening = serving.Listening(host, port, ssl_certfile, ssl_keyfile, access_log, json_log)
    # The port first: opening a large store takes a while.
    bound = serving.bind(host, port)
    try:
        application: Any = create_app(_settings(path, backend, url, option or []), config)
    except BaseException:
        for listening_socket in bound:
            listening_socket.close()
        raise
    server = serving.prepare(application, listening)
    _banner(application, config, listening, bound[0].getsockname()[1])
    server.run(bound)


def token(
    name: Annotated[str, typer.Argument(help="Whose token it is.")] = "client",
    read_only: Annotated[bool, typer.Option("--read-only", help="It may not write.")] = False,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option("--database", help="Only this database of it.", show_default=False)
    ] = None,
) -> None:
    """Make a token: the secret goes to standard error, the lines for the file of `run --auth` to standard output."""
    import json

    from chroma_plugin.server.tokens import hashed, new_secret

    secret = new_secret()
    fields: dict[str, object] = {"name": name, "hash": hashed(secret)}
    fields |= {"read_only": True} if read_only else {}
    fields |= {key: value for key, value in (("tenant", tenant), ("database", database)) if value is not None}
    # JSON's strings and booleans are TOML's, too.
    say("\n".join(["[[tokens]]", *(f"{key} = {json.dumps(value)}" for key, value in fields.items())]))
    errors().print(Text(f"The token, which is shown once: {secret}"), soft_wrap=True)


def _end_before_the_start(*_: object) -> None:
    raise SystemExit(0)


def _tokens(path: Path | None, secrets: list[str]) -> Tokens:
    from chroma_plugin.server import token_files
    from chroma_plugin.server.tokens import Tokens

    from_file = [] if path is None else token_files.from_file(path)
    return Tokens([*from_file, *token_files.from_secrets(secrets), *token_files.from_environment()])


def _refuse_exposed(loopback: bool, has_tokens: bool, insecure: bool, host: str) -> None:
    if not (loopback or has_tokens or insecure):
        raise InvalidArgumentError(
            f"Other machines reach {host}, and without a token they may read and delete everything. "
            f"Set CHROMA_PLUGIN_TOKEN or use --auth FILE; --insecure serves everybody all the same."
        )


def _names(loopback: bool, host: str, allowed: list[str]) -> tuple[str, ...] | None:
    """By which names the server may be called: on loopback those of loopback, elsewhere any unless some were given."""
    if not loopback and not allowed:
        return None
    own = f"[{host}]" if ":" in host else host
    return tuple(name.lower() for name in (*LOOPBACK_NAMES, own, *allowed))


def _check_files(certificate: Path | None, key: Path | None) -> None:
    if key is not None and certificate is None:
        raise InvalidArgumentError("--ssl-keyfile needs --ssl-certfile.")
    for file in (certificate, key):
        if file is not None and not file.is_file():
            raise InvalidArgumentError(f"There is no file {str(file)!r}.")


def _settings(path: Path | None, backend: str | None, url: str | None, options: list[str]) -> Settings:
    if url is not None and backend is None:
        raise InvalidArgumentError("--url is where the database of a backend is: name it, e.g. --backend pgvector.")
    given: dict[str, Any] = {} if url is None else {"url": url}
    for item in options:
        name, equals, value = item.partition("=")
        if not equals:
            raise InvalidArgumentError(f"--option takes name=value, not {item!r}.")
        given[name] = value
    if backend is None:
        return Settings(persist_directory=path or "./chroma", chroma_db_impl="duckdb", **given)
    where = {} if path is None else {"persist_directory": path}
    return Settings(chroma_db_impl=backend, **where, **given)


def _banner(application: Application, config: ServerConfig, listening: Listening, port: int) -> None:
    """What is served, and how to connect."""
    session = application.desk.served.session
    stats = session.backend.stats()
    place = stats.get("path") or stats.get("server", "")
    what = f"{session.name} {place}".strip() if session.backend.persistent else f"{session.name}, which is not kept"
    scheme = "https" if listening.certificate else "http"
    host = "localhost" if listening.host in ("0.0.0.0", "::", "") else listening.host  # noqa: S104  only compared
    arguments = f'"{host}", {port}' + (", ssl=True" if listening.certificate else "")
    if config.tokens:
        arguments += ', headers={"Authorization": "Bearer <token>"}'
    lines = [
        f"chroma-plugin serves {what}",
        f"at {scheme}://{host}:{port}, {'with tokens' if config.tokens else 'without a token'}"
        f"{', reset allowed' if config.allow_reset else ''}",
        "",
        "import chromadb  # or: import chroma_plugin as chromadb",
        f"client = chromadb.HttpClient({arguments})",
        "",
        f"Routes: {scheme}://{host}:{port}/docs   Metrics: /metrics   Stop: Ctrl-C",
    ]
    errors().print(Text("\n".join(lines)), soft_wrap=True)
