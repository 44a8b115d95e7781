"""What a terminal or a reader of logs would obey is shown, not sent; and looking at text takes linear time."""

from __future__ import annotations

import json
import logging
import socket
import time

import pytest
from support.server import running_server

from chroma_plugin.cli import output
from chroma_plugin.server.logs import JSONLines, Lines
from chroma_plugin.wording import HIDDEN, OBEYED, shown, visible

EVIL = "a\x1b]0;title\x07\x1b[2J\x9b31mb\u202ec\r\x00"


def test_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Of names, cells, messages and JSON."""
    output.say(EVIL)
    output.error_line(EVIL)
    output.table(["name"], [[EVIL]])
    output.as_json({EVIL: EVIL})

    printed = "".join(capsys.readouterr())
    assert not set("\x1b\x07\x9b\u202e\r\x00") & set(printed)
    assert printed.count("x1b]0;title") + printed.count("u001b]0;title") == 5
    assert visible("one\ttwo\nthree é 🔑") == "one\ttwo\nthree é 🔑"


@pytest.mark.parametrize("json_log", [False, True])
def test_logs(json_log: bool) -> None:
    """A request can't put an escape or another line into the log."""
    with running_server(access_log=True, json_log=json_log) as server:
        # Some of these are no HTTP, and are answered so.
        for path in (b"/%1b%5b2J%0aforged", b"/\x9b2J", b"/\xff\xfe", b"/api/v2/tenants/\x1b[2J", b"/x\x7f"):
            with socket.create_connection((server.host, server.port), timeout=20) as connection:
                connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while connection.recv(65536):
                    pass
        deadline = time.monotonic() + 20
        while b"/%1b%5b2J%0aforged" not in server.log.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.05)
        log = server.log.read_bytes()
    # The banner may have colours; what is logged of requests may not have anything.
    lines = [line for line in log.splitlines() if b"GET" in line]
    assert lines
    assert not any(line.startswith(b"forged") for line in log.splitlines())
    for line in lines:
        assert all(32 <= byte < 127 for byte in line), line


@pytest.mark.parametrize("formatter", [Lines(), JSONLines()], ids=["text", "json"])
def test_logs_of_errors(formatter: logging.Formatter) -> None:
    """Nor can what stands in the message of an error, or in its traceback."""
    error = ValueError(f"{EVIL}\n2026 ERROR forged \ud800")
    record = logging.LogRecord("x", logging.ERROR, "y", 1, "failed: %s", (error,), (ValueError, error, None))

    first, *more = formatter.format(record).split("\n")
    assert not OBEYED.search("".join([first, *more]))
    assert "\\x1b" in first or "\\u001b" in first
    assert all(line.startswith("    ") for line in more)
    if isinstance(formatter, JSONLines):
        assert json.loads(first)["message"] == f"failed: {error}"
        assert first.isascii()


def test_secrets_are_found_in_linear_time() -> None:
    """A message may quote a stranger's text of megabytes, made to keep a search for passwords busy."""
    for text in ("a://" + ":" * 3_000_000, "://:@" * 500_000 + "!", "password " * 300_000, "://" * 1_000_000):
        assert len(shown(text)) < 200
    assert shown("postgres://user:geheim@host/db") == HIDDEN
    assert shown("host=x password = geheim") == HIDDEN
    assert shown("http://user@host/") == "'http://user@host/'"
    assert shown("http://host:8000/a@b") == "'http://host:8000/a@b'"
