"""The public methods: a right call of each, and which arguments are tried with what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from inputs import arguments as a
from inputs.arguments import Row
from inputs.odd import Fresh

from chroma_plugin.errors import ChromaError, InvalidArgumentError

TWO: Final = {"ids": ["x", "y"], "embeddings": [[1, 2], [3, 4]]}
FILTERS: Final = {"where": a.WHERE, "where_document": a.WHERE_DOCUMENT}
COLUMNS: Final = {
    "embeddings": a.EMBEDDINGS,
    "metadatas": a.METADATAS,
    "documents": a.DOCUMENTS,
    "uris": a.DOCUMENTS,
}
TEXT: Final = {"query_texts": "apple"}
NEAR: Final = {"query_embeddings": [1, 2]}


@dataclass(frozen=True)
class Method:
    """What a call takes: one that is right, and by argument the values that are refused in its place."""

    right: dict[str, Any]
    tried: dict[str, list[Row]]
    together: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    """Arguments that are refused together."""


COLLECTION: Final = {
    "add": Method(
        TWO,
        {"ids": a.WRITTEN_IDS, **COLUMNS, "on_conflict": a.CHOICE},
        [
            ("ids alone", {"ids": ["x"]}, "embedding"),
            ("documents without a function", {"ids": ["x"], "documents": ["text"]}, "embedding"),
            ("images that are none", {**TWO, "images": []}, "images is an empty list"),
            ("images for one of two", {**TWO, "images": ["i"]}, "2 ids and 1 images"),
        ],
    ),
    "upsert": Method(
        TWO,
        {"ids": a.WRITTEN_IDS, **COLUMNS, "metadata_mode": a.CHOICE},
        [("documents without a function", {"ids": ["x"], "documents": ["text"]}, "embedding")],
    ),
    "update": Method(
        {"ids": ["a", "b"], "embeddings": [[1, 2], [3, 4]]},
        {"ids": a.UPDATED_IDS, **COLUMNS},
        [("no ids", {"documents": ["text"]}, "ids is missing")],
    ),
    "get": Method(
        {},
        {
            "ids": a.WANTED_IDS,
            **FILTERS,
            "limit": a.WHOLE,
            "offset": a.WHOLE,
            "include": [*a.INCLUDE, ("distances", ["distances"], "include holds 'distances'")],
            "order_by": a.ORDER_BY,
        },
    ),
    "peek": Method({}, {"limit": a.WHOLE}),
    "count": Method({}, FILTERS),
    "query": Method(
        NEAR,
        {
            "query_embeddings": a.QUERY_EMBEDDINGS,
            "ids": a.WANTED_IDS,
            "n_results": a.POSITIVE,
            **FILTERS,
            "include": [*a.INCLUDE, ("scores", ["scores"], "include holds 'scores'")],
            "max_distance": a.FRACTION,
            "exact": a.FLAG,
        },
        [
            ("nothing to ask", {}, "exactly one of .* has none of them"),
            ("embeddings and texts", {**NEAR, **TEXT}, "has query_embeddings and query_texts"),
            ("texts without a function", TEXT, "embedding"),
            ("no images", {"query_images": []}, "query_images is an empty list"),
            *(
                (f"query_texts: {row[0]}", {"query_texts": row[1]}, f"query_texts.*{row[2]}")
                for row in a.QUERY_TEXTS
            ),
            ("query_uris: an int", {"query_uris": 5}, "query_uris must be a str"),
        ],
    ),
    "explain": Method(NEAR, {"query_embeddings": a.QUERY_EMBEDDINGS, "n_results": a.POSITIVE, **FILTERS}),
    "search_text": Method(
        TEXT,
        {
            "query_texts": [*a.QUERY_TEXTS, ("None", None, "query_texts is missing")],
            "ids": a.WANTED_IDS,
            "n_results": a.POSITIVE,
            **FILTERS,
            "include": [*a.INCLUDE, ("distances", ["distances"], "include holds 'distances'")],
        },
    ),
    "search_hybrid": Method(
        {**TEXT, **NEAR},
        {
            "query_texts": [*a.QUERY_TEXTS, ("None", None, "query_texts is missing")],
            "query_embeddings": [
                *a.QUERY_EMBEDDINGS,
                ("two for one text", [[1, 2], [3, 4]], "2 embeddings and 1 query_texts"),
            ],
            "ids": a.WANTED_IDS,
            "n_results": a.POSITIVE,
            **FILTERS,
            "include": a.INCLUDE,
            "fusion": a.CHOICE,
            "alpha": a.SHARE,
            "candidates": [*a.WHOLE, ("0", 0, "candidates must be at least 1, not int 0")],
        },
    ),
    "delete": Method(
        {"where": {"n": 1000}},
        {"ids": a.WANTED_IDS, **FILTERS, "limit": a.WHOLE},
        [
            ("a limit without a filter", {"ids": ["a"], "limit": 5}, "limit needs where or where_document"),
            ("an empty where", {"where": {}}, "where={} would delete every record"),
            ("an empty where_document", {"where_document": {}}, "where_document={} would delete every record"),
        ],
    ),
    "modify": Method(
        {},
        {
            "name": [*a.NAMES[1:], *a.TAKEN],
            "metadata": a.COLLECTION_METADATA,
            "configuration": [
                *a.CONFIGURATION,
                ("another space", {"hnsw": {"space": "cosine"}}, "space of a collection can't be changed from 'l2'"),
                ("other neighbours", {"hnsw": {"max_neighbors": 5}}, "max_neighbors of a collection can't be changed"),
            ],
        },
    ),
    "adapt": Method(
        {"name": "langchain"},
        {
            "name": [
                ("an unknown name", "nothing", "nothing", a.UnknownPluginError),
                ("a module", "os.system", "os.system", a.UnknownPluginError),
                ("an int", 5, "must be a str, not int 5"),
                ("None", None, "must be a str, not None"),
            ]
        },
    ),
    "search": Method({}, {"anything": [("at all", 1, "Chroma Cloud", a.UnsupportedError)]}),
    "fork": Method({}, {"anything": [("at all", 1, "Chroma Cloud", a.UnsupportedError)]}),
}  # fmt: skip

_NEW: Final = {
    "name": [*a.NAMES],
    "metadata": a.COLLECTION_METADATA,
    "configuration": a.CONFIGURATION,
    "embedding_function": a.FUNCTIONS,
    "data_loader": [("an int", 5, "data_loader must be callable .* not int 5")],
    "schema": [("a dict", {"keys": {}}, "no schemas here", a.UnsupportedError)],
}
_PAGE: Final = {"limit": a.WHOLE, "offset": a.WHOLE}

CLIENT: Final = {
    "create_collection": Method(
        {"name": "more", "embedding_function": None},
        {**_NEW, "name": [*a.NAMES, *a.TAKEN], "get_or_create": a.FLAG},
        [("legacy and new at odds", {"name": "more", "embedding_function": None, "metadata": {"hnsw:space": "ip"},
                                     "configuration": {"hnsw": {"space": "l2"}}}, "give one of them")],
    ),
    "get_or_create_collection": Method({"name": "more", "embedding_function": None}, _NEW),
    "get_collection": Method(
        {"name": "things", "embedding_function": None},
        {"name": a.LOOKUP, "embedding_function": a.FUNCTIONS[:3], "data_loader": _NEW["data_loader"]},
    ),
    "get_collection_by_id": Method({"embedding_function": None}, {"id": a.IDENTIFIERS}),
    "delete_collection": Method({}, {"name": a.LOOKUP}),
    "create_index": Method({}, {"collection_name": a.LOOKUP}),
    "list_collections": Method({}, _PAGE),
    "set_database": Method({}, {"database": a.LOOKUP}),
    "set_tenant": Method({}, {"tenant": a.LOOKUP}),
    "get_tenant": Method({}, {"name": a.LOOKUP}),
    "get_database": Method({"name": "default_database"}, {"name": a.LOOKUP, "tenant": a.LOOKUP}),
    "list_databases": Method({}, {**_PAGE, "tenant": a.LOOKUP}),
    "delete_database": Method({}, {"name": a.LOOKUP}),
    "create_database": Method(
        {"name": "more"},
        {"name": [(what, value, words.replace("collection", "database")) for what, value, words in a.NAMES],
         "tenant": a.LOOKUP},
    ),
    "create_tenant": Method(
        {},
        {"name": [
            ("None", None, "None is no tenant name"),
            ("an int", 5, "int 5 is no tenant name"),
            ("too short", "ab", "'ab' is no tenant name"),
            ("5 MB", Fresh(lambda: a.LONG), "is no tenant name"),
            ("a line feed", "tenant\n", "is no tenant name"),
            ("NUL", "tenant\0", "is no tenant name"),
            ("a terminal's escape", "\x1b[2Jtenant", "is no tenant name"),
            ("a lone surrogate", "tenant\ud800", "is no tenant name"),
            ("an object that raises", a.Raises(), "is no tenant name"),
        ]},
    ),
    "export": Method({"directory": "never-made"}, {"names": [
        ("an unknown collection", ["nothing"], "nothing", a.NotFoundError),
        ("a path", ["../../etc"], "etc", a.NotFoundError),
        ("an int in a list", [5], "names holds int 5"),
        ("an int", 5, "names must be a name or a list of them, not int 5"),
        ("a generator that raises", Fresh(a.failing), "names can't be read: ZeroDivisionError"),
    ]}),
    "import_": Method({"directory": "not-there"}, {
        "directory": [
            ("not there", "not-there", "not-there", a.NotFoundError),
            ("a lone surrogate", "a\ud800", "directory must be a path"),
            ("an int", 5, "directory must be a path, not int 5"),
            ("bytes", b"x", "directory must be a path, not bytes"),
            ("NUL", "a\0b", "directory holds a NUL"),
            ("None", None, "directory must be a path, not None"),
        ],
        "on_conflict": a.CHOICE,
    }),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One call that is refused."""

    what: str
    arguments: dict[str, Any]
    words: str
    error: type[ChromaError]

    def made(self) -> dict[str, Any]:
        """The arguments, with what is made for one call."""
        return {name: value.make() if isinstance(value, Fresh) else value for name, value in self.arguments.items()}


def cases(method: Method) -> list[Case]:
    """Every refused call of a method."""
    single = [
        Case(f"{name}: {what}", {**method.right, name: value}, words, *error or (InvalidArgumentError,))
        for name, rows in method.tried.items()
        for what, value, words, *error in rows
    ]
    return single + [Case(what, given, words, InvalidArgumentError) for what, given, words in method.together]
