"""chromadb's clients with a token, with a wrong one and without, and what their users read when it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from support.server import running_server

TOKEN: Final = "a-token-of-the-tests"
WAYS: Final = ("Authorization", "X-Chroma-Token", "provider")


@pytest.fixture(scope="module")
def answers(ask: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("credentials")
    with running_server(directory / "data", env={"CHROMA_PLUGIN_TOKEN": TOKEN}) as server:
        yield ask("official_credentials.py", (server.host, server.port), TOKEN)


@pytest.mark.parametrize("way", WAYS)
def test_the_token_opens_the_server(answers: Any, way: str) -> None:
    """Each of the ways in which Chroma's client sends a token is understood, for writing and for reading."""
    assert answers[way] == ["known to few"]


def test_the_async_client_sends_it_too(answers: Any) -> None:
    """AsyncHttpClient with the token reads the same database."""
    assert answers["async"] == answers["reading"] == 1


@pytest.mark.parametrize("which", ["none", "another"])
def test_without_the_token_nothing_is_answered(answers: Any, which: str) -> None:
    """Without a token, and with one that is only similar, every call raises an error that speaks of the token."""
    assert set(answers[which]) == {"raises", "says"}
    assert "token" in answers[which]["says"].lower()
