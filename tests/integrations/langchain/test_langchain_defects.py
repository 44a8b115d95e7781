"""What langchain-chroma 1.1.0 gets wrong works here, on every backend. The numbers are those of our list of its
defects; the 17th, the structured query, has tests of its own.
"""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chroma_plugin_langchain import ChromaPluginVectorStore
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError

Store = ChromaPluginVectorStore


def test_1_a_generator_of_texts_is_added(store: Store) -> None:
    """Texts, metadata, ids and documents may come from generators."""
    ids = store.add_texts((f"{n},1" for n in range(3)), ({"n": n} for n in range(3)), (str(n) for n in range(3)))
    more = store.add_documents(Document(f"{n},2") for n in range(2))

    assert ids == ["0", "1", "2"]
    assert len(store.get_by_ids([*ids, *more])) == 5


def test_2_nothing_is_added_without_an_error(store: Store) -> None:
    """Empty lists add nothing, and no model is asked."""
    assert store.add_texts([]) == []
    assert store.add_documents([]) == []
    assert store.add_texts([], [], []) == []
    assert store.add_embeddings([]) == []
    assert store.update_documents([], []) == []
    assert store.embeddings.calls == []


def test_3_a_batch_may_have_any_size(store: Store) -> None:
    """More texts than any batch of Chroma's go in with one call."""
    ids = store.add_documents([Document(f"{n % 7},1 number {n}", metadata={"n": n}) for n in range(6_000)])

    assert len(set(ids)) == 6_000
    assert store._collection.count() == 6_000
    assert store.get_by_ids([ids[5_999]])[0].metadata == {"n": 5_999}


def test_4_adding_an_id_again_replaces_the_whole_document(store: Store) -> None:
    """Nothing of the old document stays: no key of its metadata, no vector."""
    store.add_documents([Document("1,0 old", metadata={"old": 1, "both": 1}, id="a"), Document("0,1", id="b")])
    store.add_documents([Document("0,1 new", metadata={"both": 2}, id="a")])

    assert store.get_by_ids(["a"]) == [Document("0,1 new", metadata={"both": 2}, id="a")]
    assert store.similarity_search_with_score("0,1", k=2)[1][1] == pytest.approx(0, abs=1e-6)

    store.add_texts(["1,0 bare"], ids=["a"])

    assert store.get_by_ids(["a"]) == [Document("1,0 bare", metadata={}, id="a")]


def test_5_a_document_without_metadata_is_updated(store: Store) -> None:
    """An update puts the new document in place, with or without metadata, and leaves unknown ids alone."""
    store.add_documents([Document("1,0", metadata={"k": 1}, id="a"), Document("0,1", metadata={"k": 2}, id="b")])

    store.update_document("a", Document("2,0 new"))
    done = store.update_documents(["b", "unknown"], [Document("0,2", metadata={"k": 3}), Document("9,9")])

    assert done == ["b"]
    assert store.get_by_ids(["a", "b", "unknown"]) == [
        Document("2,0 new", id="a"),
        Document("0,2", metadata={"k": 3}, id="b"),
    ]


def test_6_documents_are_got_by_id(store: Store) -> None:
    """Without metadata, repeated and unknown ids, and no ids at all."""
    store.add_texts(["1,0", "0,1"], ids=["a", "b"])

    assert store.get_by_ids(["b", "a", "b", "unknown"]) == [Document("0,1", id="b"), Document("1,0", id="a")]
    assert store.get_by_ids([]) == []


def test_7_deleting_says_that_it_is_done(store: Store) -> None:
    """True for known, unknown, repeated and no ids."""
    store.add_texts(["1,0", "0,1"], ids=["a", "b"])

    assert store.delete([]) is True
    assert store.delete(["a", "a", "unknown"]) is True
    assert store.get()["ids"] == ["b"]


def test_8_mmr_keeps_the_order_of_the_choice(store: Store) -> None:
    """The second is the one that adds the most, not the second nearest; records without text do not shift the picks."""
    store.add_embeddings([[1.0, 0.05]], [{"bare": True}], ["bare"])
    store.add_texts(["1,0 first", "1,0.1 twin", "0.6,0.8 other"], ids=["first", "twin", "other"])

    chosen = store.max_marginal_relevance_search("1,0", k=3, lambda_mult=0.3)
    by_vector = store.max_marginal_relevance_search_by_vector([1, 0], k=3, lambda_mult=0.3)

    assert [document.id for document in chosen][:2] == ["first", "other"]
    assert by_vector == chosen


def test_8_mmr_refuses_what_it_does_not_know(store: Store) -> None:
    """A misspelt argument is an error that names the right ones."""
    with pytest.raises(InvalidArgumentError, match=r"'lamda'.*where_document"):
        store.max_marginal_relevance_search("1,0", lamda=0.3)


@pytest.mark.parametrize("space", ["cosine", "l2", "ip"])
def test_9_relevance_is_right_in_all_spaces(client: chromadb.Client, name: str, space: str, compass: Any) -> None:
    """1.0 for the same vector, less for what is farther, and never outside of [0, 1]."""
    store = Store(name, compass, client=client, collection_configuration={"hnsw": {"space": space}})
    store.add_texts(["1,0", "0.8,0.6", "0,1", "-0.6,0.8", "-1,0"])

    found = store.similarity_search_with_relevance_scores("1,0", k=5)
    scores = [score for _, score in found]

    assert [document.page_content for document, _ in found][:3] == ["1,0", "0.8,0.6", "0,1"]
    assert scores[0] == pytest.approx(1.0, abs=1e-6)
    assert scores[1] == pytest.approx(0.8, abs=1e-6)
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    by_vector = store.similarity_search_by_vector_with_relevance_scores([1, 0], k=5)
    assert [score for _, score in by_vector] == pytest.approx(scores)


class Pictures(DeterministicFakeEmbedding):
    """Embeds a picture by the length of its file."""

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        return [[Path(uri).stat().st_size, 1.0] for uri in uris]


def test_10_images_are_added_and_found(client: chromadb.Client, name: str, tmp_path: Path) -> None:
    """By an image, with relevance: the same image has 1.0. The page content is the file in base64."""
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(b"x" * (1 + 10 * number))
    uris = [str(file) for file in files]
    store = Store(name, Pictures(size=2), client=client)

    ids = store.add_images(uris, [{"n": number} for number in range(3)])
    found = store.similarity_search_by_image_with_relevance_score(uris[1], k=2)

    assert found[0][0] == Document(store.encode_image(uris[1]), metadata={"n": 1}, id=ids[1])
    assert found[0][1] == pytest.approx(1.0)
    assert store.similarity_search_by_image(uris[2], k=1)[0].id == ids[2]
    assert store.get(ids[0], include=["uris"])["uris"] == [uris[0]]


def test_11_hybrid_search_and_fork_work_everywhere(store: Store) -> None:
    """Words and vectors together; a copy that has a life of its own."""
    store.add_texts(["1,0 alpha beta", "0,1 gamma", "0.7,0.7 delta"], ids=["a", "b", "c"])

    assert store.hybrid_search("1,0 gamma", k=2)[0].id in {"a", "b"}
    assert store.hybrid_search("1,0 gamma", k=1, alpha=0.0)[0].id == "b"
    assert store.hybrid_search("1,0 gamma", k=1, alpha=1.0)[0].id == "a"

    copy = store.fork(store._collection.name + "-copy")
    copy.delete(["a"])

    assert [document.id for document in copy.similarity_search("1,0", k=9)] == ["c", "b"]
    assert len(store.similarity_search("1,0", k=9)) == 3
    assert copy._collection.configuration_json["hnsw"]["space"] == "cosine"


def test_12_filters_are_empty_or_have_several_keys(store: Store) -> None:
    """{} is no filter; several plain keys must all match."""
    store.add_texts(["1,0", "2,0", "3,0"], [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}])

    assert len(store.similarity_search("1,0", filter={})) == 3
    assert [d.page_content for d in store.similarity_search("1,0", filter={"a": 1, "b": 2})] == ["2,0"]


def test_13_metadata_may_hold_anything_that_json_does_and_dates(store: Store) -> None:
    """None, lists, dicts, lists of dicts, the empty ones, and dates come back as they were."""
    metadata = {
        "none": None,
        "list": ["a", 1, None],
        "empty": [],
        "dict": {"deep": {"er": [1, {"x": None}]}},
        "nothing": {},
        "dicts": [{"a": 1}, {"b": 2}],
        "naive": datetime(2024, 5, 1, 12, 30),
        "aware": datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
    }
    store.add_documents([Document("1,0", metadata=metadata, id="a")])

    assert store.get_by_ids(["a"])[0].metadata == metadata
    assert store.similarity_search("1,0")[0].metadata == metadata


def test_14_two_stores_never_share_by_accident(compass: Any) -> None:
    """Each of these has a database of its own in memory."""
    first = Store.from_texts(["1,0 first"], compass)
    second = Store.from_documents([Document("1,0 second")], compass)
    third = Store(embedding_function=compass)

    assert [d.page_content for d in first.similarity_search("1,0", k=9)] == ["1,0 first"]
    assert [d.page_content for d in second.similarity_search("1,0", k=9)] == ["1,0 second"]
    assert third.similarity_search("1,0", k=9) == []


async def test_15_async_methods_await_the_model(store: Store) -> None:
    """aembed_* is awaited, the sync model never called."""
    await store.aadd_texts(["1,0", "0,1"])
    await store.asimilarity_search("1,0")
    await store.amax_marginal_relevance_search("1,0")
    await store.ahybrid_search("1,0")

    assert [call for call, _ in store.embeddings.calls] == ["adocuments", "aquery", "aquery", "aquery"]


def test_16_lists_of_other_lengths_are_refused_before_the_model_is_asked(store: Store) -> None:
    """As the base class promises: a ValueError, and nothing is added."""
    for wrong in (
        {"metadatas": [{"n": 1}, {"n": 2}, {"n": 3}]},
        {"metadatas": [{"n": 1}]},
        {"ids": ["a"]},
        {"ids": ["a", "b", "c"]},
        {"ids": []},
    ):
        with pytest.raises(ValueError, match="There must be one of"):
            store.add_texts(["1,0", "0,1"], **wrong)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InvalidArgumentError, match=r"texts\[1\] must be a str"):
        store.add_texts(["1,0", None])  # type: ignore[list-item]  # wrong on purpose

    assert store.embeddings.calls == []
    assert store._collection.count() == 0


def test_16_a_call_is_all_or_nothing(store: Store) -> None:
    """With and without metadata in one call: what is refused leaves nothing behind."""
    with pytest.raises(InvalidArgumentError, match="x"):
        store.add_texts(["1,0", "0,1", "1,1"], [{"k": 1}, {}, {"x": object()}])

    assert store._collection.count() == 0


def test_16_nothing_is_logged_by_the_root_logger(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A round of calls leaves the log alone."""
    with caplog.at_level(logging.DEBUG):
        store.add_texts(["1,0"], [{"k": None}])
        store.similarity_search("1,0", filter={"k": None})

    assert [record for record in caplog.records if record.name == "root"] == []


def test_18_files_can_be_deleted_and_made_again_in_one_process(tmp_path: Path, compass: Any) -> None:
    """Closing lets go of the files, so the folder can go and come again."""
    for text in ("1,0 first", "1,0 second"):
        with Store("notes", compass, persist_directory=str(tmp_path / "db")) as store:
            store.add_texts([text])
            assert [d.page_content for d in store.similarity_search("1,0")] == [text]
        shutil.rmtree(tmp_path / "db")


def test_19_vectors_come_with_the_documents(store: Store) -> None:
    """similarity_search_with_vectors gives float32 arrays."""
    store.add_texts(["3,4", "4,3"])

    (document, found), _ = store.similarity_search_with_vectors("3,4", k=2)

    assert document.page_content == "3,4"
    np.testing.assert_array_equal(found, np.array([3, 4], np.float32))
