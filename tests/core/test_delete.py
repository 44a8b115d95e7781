"""Collection.delete."""

from __future__ import annotations

import pytest

import chroma_plugin as chromadb
from chroma_plugin.errors import InvalidArgumentError


def test_by_ids(three: chromadb.Collection) -> None:
    """The answer counts the records that were there."""
    assert three.delete(ids=["a", "nobody"]) == {"deleted": 1}
    assert three.get()["ids"] == ["b", "c"]


def test_by_filters(three: chromadb.Collection) -> None:
    """Where and where_document select together."""
    assert three.delete(where={"kind": "odd"}, where_document={"$contains": "three"}) == {"deleted": 1}
    assert three.get()["ids"] == ["a", "b"]


def test_by_ids_and_filter(three: chromadb.Collection) -> None:
    """Of the ids, only those that match."""
    assert three.delete(ids=["a", "b"], where={"kind": "odd"}) == {"deleted": 1}
    assert three.get()["ids"] == ["b", "c"]


def test_with_a_limit(three: chromadb.Collection) -> None:
    """Limit bounds how many matches go, first inserted first."""
    assert three.delete(where={"kind": "odd"}, limit=1) == {"deleted": 1}
    assert three.get()["ids"] == ["b", "c"]


def test_nothing_asked_deletes_nothing(three: chromadb.Collection) -> None:
    """delete() without arguments deletes nothing and says how to; an empty list of ids is just that."""
    with pytest.warns(chromadb.NothingDeletedWarning, match=r"client\.reset\(\)"):
        assert three.delete() == {"deleted": 0}
    assert three.delete(ids=[]) == {"deleted": 0}
    assert three.count() == 3


@pytest.mark.parametrize("arguments", [{"where": {}}, {"where_document": {}}, {"ids": ["a"], "where": {}}])
def test_an_empty_filter_is_refused(three: chromadb.Collection, arguments: dict[str, object]) -> None:
    """{} as a filter would mean everything, which is never meant by accident."""
    with pytest.raises(InvalidArgumentError, match="every record"):
        three.delete(**arguments)

    assert three.count() == 3


def test_a_limit_needs_a_filter(three: chromadb.Collection) -> None:
    """Limit with ids alone is refused."""
    with pytest.raises(InvalidArgumentError, match="limit"):
        three.delete(ids=["a", "b"], limit=1)


def test_deleted_ids_can_be_added_again(three: chromadb.Collection) -> None:
    """A deleted id is unknown, and comes back at the end."""
    three.delete(ids="a")
    three.add(ids="a", embeddings=[5, 5])

    assert three.get()["ids"] == ["b", "c", "a"]
    assert three.query(query_embeddings=[5, 5], n_results=1)["ids"] == [["a"]]
