"""``python -m chroma_plugin.testing NAME``: run the conformance kit for a registered backend."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Final

import pytest

from chroma_plugin.errors import ChromaError
from chroma_plugin.plugins import default_manager

CHOICE: Final = "CHROMA_PLUGIN_TESTING"
"""The environment variable that tells `chroma_plugin.testing.registered` what to test: a JSON object of flags."""
MODULE: Final = "chroma_plugin.testing.registered"


class Summary:
    """A pytest plug-in: one line with the counts at the end."""

    def __init__(self, name: str) -> None:
        self._name = name

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The verdict, below pytest's own summary."""
        stats = terminalreporter.stats
        passed, skipped = len(stats.get("passed", [])), len(stats.get("skipped", []))
        broken = len(stats.get("failed", [])) + len(stats.get("error", []))
        verdict = "breaks the contract" if broken else "keeps the contract"
        terminalreporter.write_line("")
        terminalreporter.write_line(
            f"Backend {self._name!r} {verdict}: {passed} passed, {broken} failed, {skipped} skipped."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the kit and return pytest's exit code."""
    parser = _parser()
    chosen, for_pytest = parser.parse_known_args(arguments)
    try:
        name = default_manager().backend(chosen.name).name
    except ChromaError as error:
        parser.error(str(error))
    flags = {"backend": name, "options": dict(chosen.option), **{key: _value(text) for key, text in chosen.flag}}
    os.environ[CHOICE] = json.dumps(flags)
    # `-c` keeps out the configuration of whatever directory this is run in. There is nothing asynchronous in the kit.
    own = [
        "-c",
        os.devnull,
        "--rootdir",
        os.getcwd(),
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "--pyargs",
        MODULE,
        "-rs",
    ]
    return int(pytest.main([*own, *for_pytest], plugins=[Summary(name)]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chroma_plugin.testing",
        description="Run the conformance kit for a registered backend. Other arguments go to pytest (-x, -k search).",
    )
    parser.add_argument("name", help="the name it is registered under: Settings(chroma_db_impl=NAME)")
    parser.add_argument(
        "--option", action="append", default=[], type=_pair, metavar="KEY=VALUE", help="an option to open it with"
    )
    parser.add_argument(
        "--flag",
        action="append",
        default=[],
        type=_pair,
        metavar="KEY=VALUE",
        help="a flag of the kit, e.g. ranks_exactly=False",
    )
    return parser


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not (key and separator):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key, value


def _value(text: str) -> object:
    """A number or a bool where the text is one."""
    try:
        found: object = json.loads(text.lower())
    except ValueError:
        return text
    return found


if __name__ == "__main__":
    sys.exit(main())
