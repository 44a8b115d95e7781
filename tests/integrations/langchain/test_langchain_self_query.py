"""`ChromaPluginTranslator`: LangChain's structured queries find what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from chroma_plugin_langchain import ChromaPluginTranslator, ChromaPluginVectorStore
from chroma_plugin_langchain.structured_query import like_pattern
from hypothesis import example, given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery
from support.places import PLACES, open_place

from chroma_plugin.embedding_functions import HashingEmbeddingFunction
from chroma_plugin.errors import InvalidArgumentError
from chroma_plugin.filters import compile_regex

EAST = timezone(timedelta(hours=2))
FILMS: dict[str, dict[str, Any]] = {
    "dune": {"year": 2021, "genre": ["desert", "space"], "title": "Dune: Part One", "seen": date(2024, 5, 1)},
    "alien": {"year": 1979, "genre": ["space"], "title": "Alien", "seen": datetime(2024, 5, 1, 12, 30)},
    "emma": {"year": 2020, "title": "100% Emma_", "good": True, "seen": datetime(2024, 5, 2, 1, 0, tzinfo=EAST)},
    "heat": {"year": 1995.5, "title": "Heat\nagain", "good": False, "seen": "2024-05-01T12:30:00Z"},
    "none": {"title": "None", "rating": None},
}


@pytest.fixture(params=PLACES)
def films(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ChromaPluginVectorStore]:
    with open_place(request.param, tmp_path) as client:
        store = ChromaPluginVectorStore(client=client, embedding_function=HashingEmbeddingFunction(64))
        store.add_texts(list(FILMS), list(FILMS.values()), ids=list(FILMS))
        yield store


def found(store: ChromaPluginVectorStore, condition: Comparison | Operation) -> set[str]:
    _, options = ChromaPluginTranslator().visit_structured_query(StructuredQuery("film", condition))
    return {document.id or "" for document in store.similarity_search("film", k=10, **options)}


def says(comparator: str, attribute: str, value: Any) -> Comparison:
    return Comparison(Comparator(comparator), attribute, value)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (says("eq", "year", 1979), {"alien"}),
        (says("eq", "good", True), {"emma"}),
        (says("ne", "year", 1979), {"dune", "emma", "heat", "none"}),
        (says("gt", "year", 2020), {"dune"}),
        (says("gte", "year", 2020), {"dune", "emma"}),
        (says("lt", "year", 1995.5), {"alien"}),
        (says("lte", "year", 1995.5), {"alien", "heat"}),
        (says("gt", "title", "E"), {"heat", "none"}),
        (says("contain", "genre", "space"), {"dune", "alien"}),
        (says("contain", "title", "Part"), {"dune"}),
        (says("contain", "title", "part"), set()),
        (says("like", "title", "part"), {"dune"}),
        (says("like", "title", "dune%"), {"dune"}),
        (says("like", "title", "%e"), {"dune", "none"}),
        (says("like", "title", "_lien"), {"alien"}),
        (says("like", "title", "%at%in"), {"heat"}),
        (says("like", "title", r"100\% e%\_"), {"emma"}),
        (says("like", "title", ".*"), set()),
        (says("in", "year", [1979, 2021]), {"alien", "dune"}),
        (says("in", "year", 1979), {"alien"}),
        (says("in", "year", []), set()),
        (says("nin", "year", [1979, 2021]), {"emma", "heat", "none"}),
        (says("nin", "year", []), set(FILMS)),
        (says("eq", "rating", None), set(FILMS)),
    ],
)
def test_each_comparator(films: ChromaPluginVectorStore, condition: Comparison, expected: set[str]) -> None:
    """All ten find what they should, types never coerce."""
    assert found(films, condition) == expected


MAY_1, MAY_2 = {"date": "2024-05-01", "type": "date"}, {"date": "2024-05-02", "type": "date"}
HALF_PAST = {"datetime": "2024-05-01T12:30:00", "type": "datetime"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (says("eq", "seen", MAY_1), {"dune", "alien", "emma", "heat"}),
        (says("ne", "seen", MAY_1), {"none"}),
        (says("gt", "seen", MAY_1), set()),
        (says("gte", "seen", MAY_1), {"dune", "alien", "emma", "heat"}),
        (says("lt", "seen", MAY_2), {"dune", "alien", "emma", "heat"}),
        (says("lte", "seen", MAY_1), {"dune", "alien", "emma", "heat"}),
        (says("lt", "seen", MAY_1), set()),
        (says("in", "seen", [MAY_1, MAY_2]), {"dune", "alien", "emma", "heat"}),
        (says("nin", "seen", [MAY_2, "else"]), set(FILMS)),
        (says("eq", "seen", HALF_PAST), {"alien", "heat"}),
        (says("gt", "seen", HALF_PAST), {"emma"}),
        (says("lt", "seen", HALF_PAST), {"dune"}),
        (says("lte", "seen", {"datetime": "2024-05-01T12:30:00Z", "type": "datetime"}), {"dune", "alien", "heat"}),
        (says("gte", "seen", {"datetime": "2024-05-01T14:30:01+02:00", "type": "datetime"}), {"emma"}),
        (says("eq", "seen", datetime(2024, 5, 1, 23, tzinfo=UTC)), {"emma"}),
        (says("eq", "seen", datetime(2024, 5, 1, 12, 30)), {"alien"}),
        (says("eq", "seen", date(2024, 5, 1)), {"dune", "alien", "emma", "heat"}),
    ],
)
def test_dates(films: ChromaPluginVectorStore, condition: Comparison, expected: set[str]) -> None:
    """A date is a whole day, a time of day a whole second, in UTC; stored dates, times and ISO texts are compared."""
    assert found(films, condition) == expected


def test_operators(films: ChromaPluginVectorStore) -> None:
    """and, or and not, nested; not of several means none of them."""
    new, space = says("gt", "year", 2000), says("contain", "genre", "space")
    assert found(films, Operation(Operator.AND, [new, space])) == {"dune"}
    assert found(films, Operation(Operator.OR, [new, space])) == {"dune", "emma", "alien"}
    assert found(films, Operation(Operator.NOT, [new])) == {"alien", "heat", "none"}
    assert found(films, Operation(Operator.NOT, [new, space])) == {"heat", "none"}
    assert found(films, Operation(Operator.AND, [new, Operation(Operator.NOT, [space])])) == {"emma"}
    assert found(films, Operation(Operator.OR, [space])) == {"dune", "alien"}


def test_without_a_filter_nothing_is_restricted() -> None:
    """The query passes through."""
    assert ChromaPluginTranslator().visit_structured_query(StructuredQuery("film", None)) == ("film", {})


@pytest.mark.parametrize("attribute", ["$or", "$and", "#document", "#id", ""])
def test_an_attribute_is_never_an_operator(attribute: str) -> None:
    """What is not a metadata key is refused."""
    with pytest.raises(InvalidArgumentError, match="not a metadata key"):
        says("eq", attribute, "x").accept(ChromaPluginTranslator())


@pytest.mark.parametrize("comparator", [each.value for each in Comparator])
def test_a_value_is_never_an_operator(comparator: str) -> None:
    """A dict in the place of a value is refused, not read as a filter."""
    with pytest.raises(InvalidArgumentError):
        says(comparator, "year", {"$ne": 0}).accept(ChromaPluginTranslator())


@pytest.mark.parametrize(
    "condition",
    [
        says("eq", "seen", {"date": "yesterday", "type": "date"}),
        says("gt", "good", True),
        says("like", "title", 5),
        Operation(Operator.AND, []),
    ],
)
def test_what_cannot_be_compared_is_refused(condition: Comparison | Operation) -> None:
    """With the value in the message, before anything is searched."""
    with pytest.raises(InvalidArgumentError):
        condition.accept(ChromaPluginTranslator())


# -- like ------------------------------------------------------------------------------------------------------------


def is_like(text: str, pattern: str) -> bool:
    """SQL's LIKE without case, spelt out: where each prefix of the text can be after each part of the pattern."""
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    if not {"%", "_"} & set(tokens):
        return "".join(token[-1] for token in tokens).lower() in text.lower()
    ends = {0}
    for token in tokens:
        if token == "%":
            ends = set(range(min(ends, default=len(text) + 1), len(text) + 1))
        else:
            same = [end for end in ends if end < len(text)]
            ends = {end + 1 for end in same if token == "_" or text[end].lower() == token[-1].lower()}
    return len(text) in ends


LETTERS = st.text("aB%_\\.*[(^$|+\n ", max_size=8)


@given(text=LETTERS, pattern=LETTERS)
@example(text="a\\", pattern="a\\")
@settings(max_examples=300, deadline=None)
def test_like_is_sql_s(text: str, pattern: str) -> None:
    """Only % and _ mean something, whatever else is in the pattern or the text."""
    assert compile_regex(like_pattern(pattern))(text) == is_like(text, pattern)


# -- end to end ------------------------------------------------------------------------------------------------------

ANSWERS = {
    "space films before 2000": 'and(contain("genre", "space"), lt("year", 2000))',
    "not seen in May": 'not(and(gte("seen", "2024-05-01"), lte("seen", "2024-05-31")))',
    "titles like emma": 'or(like("title", "%EMMA%"), in("year", [1979]))',
}


def retriever_over(store: ChromaPluginVectorStore) -> Any:
    """LangChain's own retriever, prompt and parser; only the language model says what it was told to."""
    from langchain_classic.chains.query_constructor.schema import AttributeInfo
    from langchain_classic.retrievers.self_query.base import SelfQueryRetriever
    from langchain_core.runnables import RunnableLambda

    def answer(prompt: Any) -> str:
        question = next(
            asked for asked in ANSWERS if prompt.to_string().rstrip().endswith(f"{asked}\n\nStructured Request:")
        )
        filter = ANSWERS[question].replace('"', '\\"')
        return f'```json\n{{"query": "film", "filter": "{filter}"}}\n```'

    return SelfQueryRetriever.from_llm(
        RunnableLambda(answer),
        store,
        "Films",
        [AttributeInfo(name=name, description=name, type="string") for name in ("genre", "year", "seen", "title")],
        structured_query_translator=ChromaPluginTranslator(),
        search_kwargs={"k": 10},
    )


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("space films before 2000", {"alien"}),
        ("not seen in May", {"none"}),
        ("titles like emma", {"emma", "alien"}),
    ],
)
async def test_a_self_query_retriever(films: ChromaPluginVectorStore, question: str, expected: set[str]) -> None:
    """From the model's answer to the documents, sync and async."""
    retriever = retriever_over(films)
    assert {document.id for document in retriever.invoke(question)} == expected
    documents: list[Document] = await retriever.ainvoke(question)
    assert {document.id for document in documents} == expected
