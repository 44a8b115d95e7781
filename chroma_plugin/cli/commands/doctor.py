"""``chroma-plugin doctor``: what is installed, what is missing, and whether a directory is sound."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from chroma_plugin import compiled
from chroma_plugin.cli import packages
from chroma_plugin.cli.checkup import Finding, Health, store_findings
from chroma_plugin.cli.commands.plugins import FAULTS
from chroma_plugin.cli.mending import mend
from chroma_plugin.cli.output import as_json, say, table
from chroma_plugin.plugins import State, default_manager
from chroma_plugin.version import __version__

_STYLE = {Health.OK: "green", Health.MISSING: "yellow", Health.WRONG: "red"}


def doctor(
    path: Annotated[
        Path | None, typer.Argument(help="A store to examine; every record of it is read.", show_default=False)
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Save what can be saved of a damaged store; its files as they were are kept."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine the installation and, if a PATH is given, the store in it. Nothing is changed, unless --repair is given.

    Exit code 1 when something is wrong; what is merely missing is none of that. With --repair, when not all could be
    saved.
    """
    if repair:
        mend(path, json=json)
        return
    findings = [*_installation(), *_weights(), *_plugins()]
    if path is not None:
        findings += store_findings(path)
    if json:
        as_json([finding.as_dict() for finding in findings])
    else:
        _show(findings)
    if any(finding.health is Health.WRONG for finding in findings):
        raise typer.Exit(1)


def _installation() -> Iterator[Finding]:
    yield Finding(
        "chroma-plugin", Health.OK, f"{__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    yield _compiled()
    for package in packages.PACKAGES:
        version = packages.version(package)
        if version is not None:
            yield Finding(package.distribution, Health.OK, f"{version} ({package.purpose})")
        else:
            health = Health.WRONG if package.required else Health.MISSING
            yield Finding(
                package.distribution, health, f"missing ({package.purpose}): {package.without}", package.install
            )


def _compiled() -> Finding:
    if compiled.IS_THERE:
        return Finding("compiled parts", Health.OK, "in use (searches, reads)")
    remedy = "pip install --force-reinstall --no-binary chroma-plugin chroma-plugin (needs a C compiler)"
    return Finding("compiled parts", Health.MISSING, "missing: searches and reads take about twice as long", remedy)


def _weights() -> Iterator[Finding]:
    from chroma_plugin.embedding_functions.minilm import weights

    status = weights.status()
    if status["available"]:
        yield Finding("embedding weights", Health.OK, f"{status['path']} ({status['source']})")
    else:
        missing = f"{status['model']} is not on this machine; it is fetched at the first use"
        yield Finding("embedding weights", Health.MISSING, missing, "chroma-plugin embeddings fetch")


def _plugins() -> Iterator[Finding]:
    for row in default_manager().report():
        name = f"{row.kind or 'plug-in'} {row.names[0] if row.names else row.plugin}"
        if row.state in FAULTS:
            yield Finding(name, Health.WRONG, str(row))
        elif row.state is State.OK:
            yield Finding(name, Health.OK, row.distribution or row.plugin)
        else:
            yield Finding(name, Health.MISSING, str(row))


def _show(findings: list[Finding]) -> None:
    rows = [
        (Text(finding.health.value, _STYLE[finding.health]), finding.name, _detail(finding)) for finding in findings
    ]
    table(("", "", ""), rows)
    wrong = sum(finding.health is Health.WRONG for finding in findings)
    say(f"{wrong} problem(s) found." if wrong else "Nothing is wrong.", "bold")


def _detail(finding: Finding) -> str:
    return f"{finding.detail}\n-> {finding.remedy}" if finding.remedy else finding.detail
