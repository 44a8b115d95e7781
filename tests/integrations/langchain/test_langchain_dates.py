"""Dates in metadata: they come back as they were, and filters compare them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginVectorStore, date_text
from chroma_plugin_langchain.values import TYPES_KEY, read_metadata, stored_filter, stored_metadatas
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from chroma_plugin import Key
from chroma_plugin.errors import InvalidArgumentError

ZONES = st.none() | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=ZONES)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | TIMES | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=4))
def test_every_value_comes_back(metadata: dict[str, Any]) -> None:
    """Also inside of lists and dicts; nothing is added that a reader would see, and nothing of the caller's changed."""
    before = repr(metadata)
    (row,) = stored_metadatas([metadata])

    assert read_metadata(dict(row)) == metadata
    assert repr(metadata) == before


@settings(deadline=None)
@given(TIMES, TIMES)
def test_text_sorts_as_time_does(one: datetime, other: datetime) -> None:
    """Of two aware or two naive times."""
    if (one.tzinfo is None) == (other.tzinfo is None):
        assert (date_text(one) < date_text(other)) == (one < other)
        assert (date_text(one) == date_text(other)) == (one == other)


NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def week(store: ChromaPluginVectorStore) -> ChromaPluginVectorStore:
    """Seven days at noon."""
    times = [NOON + timedelta(days=days) for days in range(7)]
    store.add_documents(
        [
            Document(f"1,{days}", id=str(days), metadata={"at": at, "day": at.date(), "all": [at]})
            for days, at in enumerate(times)
        ]
    )
    return store


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"at": {"$gt": NOON + timedelta(days=4)}}, ["5", "6"]),
        ({"at": {"$lte": NOON}}, ["0"]),
        ({"at": NOON.astimezone(timezone(timedelta(hours=5)))}, ["0"]),
        ({"at": {"$ne": NOON}, "day": {"$lt": date(2024, 5, 3)}}, ["1"]),
        ({"day": {"$in": [date(2024, 5, 1), date(2024, 5, 7)]}}, ["0", "6"]),
        ({"$or": [{"at": {"$lt": NOON + timedelta(hours=1)}}, {"day": date(2024, 5, 7)}]}, ["0", "6"]),
        ({"all": {"$contains": NOON}}, ["0"]),
        (Key("at") > date_text(NOON + timedelta(days=5)), ["6"]),
    ],
)
def test_filters_compare_dates(week: ChromaPluginVectorStore, filter: Any, found: list[str]) -> None:
    """With datetimes of any zone and with dates, on every backend."""
    assert sorted(document.id or "" for document in week.similarity_search("1,0", k=9, filter=filter)) == found
    assert sorted(week.get(where=filter)["ids"]) == found


def test_deleting_by_date(week: ChromaPluginVectorStore) -> None:
    """A filter with a date works in delete as well."""
    week.delete(filter={"at": {"$lt": NOON + timedelta(days=6)}})

    assert week.get(include=["metadatas"])["metadatas"] == [
        {"at": NOON + timedelta(days=6), "day": date(2024, 5, 7), "all": [NOON + timedelta(days=6)]}
    ]


def test_text_that_looks_like_a_date_stays_text(store: ChromaPluginVectorStore) -> None:
    """Nothing is guessed."""
    store.add_documents([Document("1,0", metadata={"at": "2024-05-01T12:00:00.000000", "n": NOON}, id="a")])

    assert store.get_by_ids(["a"])[0].metadata == {"at": "2024-05-01T12:00:00.000000", "n": NOON}


def test_other_programs_see_text(week: ChromaPluginVectorStore) -> None:
    """The collection holds ISO text, and beside it which values are dates."""
    (metadata,) = week._collection.get(ids="0")["metadatas"]

    assert metadata["at"] == "2024-05-01T12:00:00.000000+00:00"
    assert metadata["day"] == "2024-05-01"
    assert metadata[TYPES_KEY] == '{"at": "datetime", "day": "date", "all": {"0": "datetime"}}'


def test_values_that_were_changed_by_others_are_left_alone() -> None:
    """Whatever stands under our key or in the place of a date, reading does not fail."""
    assert read_metadata({"at": 5, "gone": "x", TYPES_KEY: '{"at": "datetime", "nowhere": "date"}'}) == {
        "at": 5,
        "gone": "x",
    }
    assert read_metadata({"at": "soon", TYPES_KEY: '{"at": "datetime"}'}) == {"at": "soon"}
    assert read_metadata({"at": ["x"], TYPES_KEY: '{"at": {"7": "date", "x": "date"}}'}) == {"at": ["x"]}
    assert read_metadata({TYPES_KEY: "no json"}) == {}
    assert read_metadata(None) == {}


def test_the_key_is_ours() -> None:
    """A document that has it is refused."""
    with pytest.raises(InvalidArgumentError, match="reserved"):
        stored_metadatas([{TYPES_KEY: "{}"}])


def test_endless_filters_and_metadata_are_left_to_the_collection(store: ChromaPluginVectorStore) -> None:
    """A dict that contains itself ends in an error that says so."""
    endless: dict[str, Any] = {}
    endless["$and"] = [endless, endless]
    with pytest.raises(InvalidArgumentError):
        store.similarity_search("1,0", filter=endless)
    deep: Any = 1
    for _ in range(5_000):
        deep = {"$not": deep}
    assert stored_filter(deep) is deep
    with pytest.raises(InvalidArgumentError):
        store.add_documents([Document.model_construct(page_content="1,0", metadata={"x": endless, "at": NOON})])


def test_a_time_without_a_date_in_utc_is_refused() -> None:
    """The first hours of the year 1 in the east."""
    with pytest.raises(InvalidArgumentError, match="UTC"):
        date_text(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))))
