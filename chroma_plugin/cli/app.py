"""The application: its commands, and how errors are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from chroma_plugin.cli.commands import (
    backup,
    compact,
    copy,
    demo,
    doctor,
    embeddings,
    info,
    new_backend,
    plugins,
    run,
    transfer,
)
from chroma_plugin.cli.output import error_line
from chroma_plugin.errors import ChromaError
from chroma_plugin.version import __version__

if TYPE_CHECKING:
    # What Typer's own signatures name; `typer.Context` is a subclass.
    from typer._click.core import Context


class OneLineErrors(TyperGroup):
    """Shows our own errors as one clean line and exit code 1; ``--debug`` lets them through with their traceback."""

    def invoke(self, ctx: Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChromaError as error:
            if ctx.params.get("debug"):
                raise
            error_line(error.message())
            raise typer.Exit(1) from error


app = typer.Typer(
    name="chroma-plugin",
    cls=OneLineErrors,
    help="Chroma's API over pluggable engines: try it, look into a directory, move data.",
    no_args_is_help=True,
    # Faults of ours are shown as Python shows them; rich's boxes hide the end.
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before the name of a command; both are read elsewhere."""


app.command("demo")(demo.demo)
app.command("plugins")(plugins.plugins)
app.command("doctor")(doctor.doctor)
app.command("info")(info.info)
app.command("export")(transfer.export)
app.command("import")(transfer.import_)
app.command("copy")(copy.copy)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("compact")(compact.compact)
app.command("run")(run.run)
app.command("token")(run.token)
app.command("new-backend")(new_backend.new_backend)
app.add_typer(embeddings.app, name="embeddings")
