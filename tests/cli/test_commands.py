"""The commands on real directories: what they print, what they change, how they fail."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import chroma_plugin
from chroma_plugin.plugins import default_manager

Run = Callable[..., Result]
GOLDEN = Path(__file__).parents[1] / "golden" / "chroma-0.3.29"


def contents(path: Path) -> dict[str, int]:
    with chroma_plugin.PersistentClient(path) as client:
        return {collection.name: collection.count() for collection in client.list_collections()}


# -- info ------------------------------------------------------------------------------------------------------------


def test_info_shows_the_collections(run: Run, store: Path) -> None:
    """Names, counts, dimensions and distances."""
    result = run("info", store)
    assert result.exit_code == 0, result.output
    lines = {tuple(line.split()[:4]) for line in result.output.splitlines()}
    assert ("pets", "20", "3", "cosine") in lines
    assert ("empty", "0", "None", "l2") in lines


def test_info_for_scripts(run: Run, store: Path) -> None:
    """``--json`` prints what `client.info()` says, as one JSON document."""
    facts = json.loads(run("info", store, "--json").stdout)
    assert facts["backend"] == "duckdb"
    assert [(facts["name"], facts["count"]) for facts in facts["collections"]] == [("pets", 20), ("empty", 0)]


@pytest.mark.parametrize("command", ["info", "compact"])
def test_a_mistyped_path_makes_no_store(run: Run, tmp_path: Path, command: str) -> None:
    """A directory that is no store is one clean line and exit code 1; nothing is made there."""
    for path in (tmp_path / "missing", tmp_path):
        result = run(command, path)
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: There is no store in")
        assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_debug_shows_the_traceback(run: Run, tmp_path: Path) -> None:
    """With ``--debug`` the error itself comes through."""
    assert isinstance(run("--debug", "info", tmp_path / "missing").exception, chroma_plugin.errors.NotFoundError)


# -- doctor ----------------------------------------------------------------------------------------------------------


def findings(result: Result) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(result.stdout)}


def test_doctor_lists_what_is_installed(run: Run) -> None:
    """Packages with versions, the weights, the plug-ins; what is missing comes with the line that installs it."""
    found = findings(run("doctor", "--json"))
    assert found["duckdb"]["health"] == "ok"
    assert found["chroma-plugin"]["detail"].startswith(chroma_plugin.__version__)
    assert found["backend memory"]["health"] == "ok"
    for finding in found.values():
        assert finding["health"] == "ok" or finding["remedy"] or finding["health"] == "missing"


def test_doctor_says_how_to_get_the_weights(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the weights: the command that fetches them, and no error."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("CHROMA_PLUGIN_MODEL_DIR", raising=False)
    finding = findings(run("doctor", "--json"))["embedding weights"]
    if finding["health"] == "ok":
        pytest.skip("the weights are installed as a package")
    assert finding["health"] == "missing"
    assert finding["remedy"] == "chroma-plugin embeddings fetch"


def test_doctor_finds_a_sound_store_sound(run: Run, store: Path) -> None:
    """Every record is read, and nothing in the directory changes."""
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    result = run("doctor", store, "--json")
    found = findings(result)
    assert result.exit_code == 0, result.output
    assert found["collection pets"]["detail"] == "20 record(s), all read; index exact, 0 record(s) in it"
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_doctor_finds_a_damaged_store(run: Run, store: Path) -> None:
    """A store whose file is damaged: exit code 1, and a finding that says so."""
    database = max((path for path in store.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(database.read_bytes())
    for place in range(4096, len(content), 512):
        content[place] ^= 0xFF
    database.write_bytes(bytes(content))
    result = run("doctor", store, "--json")
    assert result.exit_code == 1
    assert "doctor --repair" in findings(result)[str(store)]["remedy"]


def test_doctor_repairs(run: Run, store: Path) -> None:
    """What was saved is shown, and where the files are as they were; a sound store is left alone."""
    with (store / "chroma.duckdb").open("r+b") as file:
        file.seek(9_000)  # among zeros in one of the two headers
        file.write(b"damage")
    first, second = run("doctor", store, "--repair"), run("doctor", store, "--repair", "--json")
    assert "pets" in first.output
    assert "20" in first.output
    assert f"{store}/damaged-" in first.output.replace("\n", "")
    assert second.exit_code == 0
    assert json.loads(second.stdout)["originals"] is None
    assert run("doctor", store).exit_code == 0


def test_doctor_repairs_only_what_is_named(run: Run) -> None:
    """--repair without a path is an error."""
    result = run("doctor", "--repair")
    assert result.exit_code == 2
    assert "PATH" in result.output


def test_doctor_on_a_store_in_use(run: Run, store: Path) -> None:
    """A store that another process has open is examined as it is, and repaired only when it has been closed."""
    code = (
        "import sys, chroma_plugin as c; client = c.PersistentClient(sys.argv[1]); print('open', flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(store)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        examined, repaired = run("doctor", store, "--json"), run("doctor", "--repair", store)
        process.communicate("\n")
    assert examined.exit_code == 0
    assert "opens; 2 collection(s)" in findings(examined)[str(store)]["detail"]
    assert repaired.exit_code == 1
    assert "is open in another process" in repaired.output.replace("\n", " ")


def test_doctor_on_no_store(run: Run, tmp_path: Path) -> None:
    """A path without a store is a problem, and none is made."""
    result = run("doctor", tmp_path / "missing")
    assert result.exit_code == 1
    assert "There is no store in" in result.output
    assert not (tmp_path / "missing").exists()


# -- plugins ---------------------------------------------------------------------------------------------------------


def test_plugins_lists_the_backends(run: Run) -> None:
    """The table names every backend that can be looked up."""
    result = run("plugins")
    assert result.exit_code == 0, result.output
    for backend in default_manager().backends():
        assert backend.name in result.output


def test_plugins_for_scripts(run: Run) -> None:
    """``--json`` gives one object per registration."""
    rows = json.loads(run("plugins", "--json").stdout)
    assert ("backend", "ok") in {(row["kind"], row["state"]) for row in rows if "duckdb" in row["names"]}


# -- export, import, compact -----------------------------------------------------------------------------------------


def test_export_and_import(run: Run, store: Path, tmp_path: Path) -> None:
    """A store goes to Parquet and into another store, which is made."""
    exported = run("export", store, tmp_path / "parquet")
    assert exported.exit_code == 0, exported.output
    assert ["pets", "20"] in [line.split() for line in exported.output.splitlines()]
    imported = run("import", tmp_path / "new", tmp_path / "parquet")
    assert imported.exit_code == 0, imported.output
    assert contents(tmp_path / "new") == contents(store) == {"pets": 20, "empty": 0}


def test_one_collection_can_be_exported(run: Run, store: Path, tmp_path: Path) -> None:
    """``--collection`` picks; an unknown one is an error."""
    assert run("export", store, tmp_path / "out", "-c", "empty").exit_code == 0
    run("import", tmp_path / "new", tmp_path / "out")
    assert contents(tmp_path / "new") == {"empty": 0}
    assert run("export", store, tmp_path / "none", "-c", "unknown").exit_code == 1


def test_an_export_is_not_overwritten_by_accident(run: Run, store: Path, tmp_path: Path) -> None:
    """A second export into a directory needs ``--overwrite``."""
    assert run("export", store, tmp_path / "out").exit_code == 0
    assert run("export", store, tmp_path / "out").exit_code == 1
    assert run("export", store, tmp_path / "out", "--overwrite").exit_code == 0


def test_import_into_taken_names(run: Run, store: Path, tmp_path: Path) -> None:
    """Refused by default; ``--on-conflict skip`` says which were left alone."""
    run("export", store, tmp_path / "out")
    refused = run("import", store, tmp_path / "out")
    assert refused.exit_code == 1
    assert "exist already" in refused.stderr
    skipped = run("import", store, tmp_path / "out", "--on-conflict", "skip")
    assert skipped.exit_code == 0
    assert "skipped" in skipped.output


def test_import_from_chroma_0_3(run: Run, tmp_path: Path) -> None:
    """Files of Chroma 0.3.x are imported like our own."""
    assert run("import", tmp_path / "new", GOLDEN).exit_code == 0
    assert contents(tmp_path / "new") == {"animals": 12, "plain": 9, "empty": 0}


def test_compact_keeps_the_records(run: Run, store: Path) -> None:
    """What was deleted is gone from the files, what is left is as it was."""
    with chroma_plugin.PersistentClient(store) as client:
        client.get_collection("pets").update(ids="id-1", documents="a very secret word: xyzzy" * 50)
        client.get_collection("pets").delete(ids="id-1")
        before = client.get_collection("pets").get(include=["embeddings", "documents", "metadatas"])
    result = run("compact", store)
    assert result.exit_code == 0, result.output
    with chroma_plugin.PersistentClient(store) as client:
        after = client.get_collection("pets").get(include=["embeddings", "documents", "metadatas"])
    assert repr(after) == repr(before)
    assert not any(b"xyzzy" in path.read_bytes() for path in store.rglob("*") if path.is_file())


def test_a_legacy_directory_is_a_store(run: Run, tmp_path: Path) -> None:
    """`doctor` reads a store that was taken over from Chroma 0.3.x; `info` on the untouched one says what to do."""
    copy = shutil.copytree(GOLDEN, tmp_path / "old")
    untouched = run("info", copy)
    assert untouched.exit_code == 1
    assert "written by Chroma 0.3.x" in untouched.stderr
    assert contents(copy) == {"animals": 12, "plain": 9, "empty": 0}
    assert run("doctor", copy).exit_code == 0
    assert "animals" in run("info", copy).output
