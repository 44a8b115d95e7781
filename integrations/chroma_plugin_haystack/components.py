"""What the three retriever components share."""

from __future__ import annotations

from typing import Any

from haystack.document_stores.types import FilterPolicy

from chroma_plugin_haystack.store import ChromaPluginDocumentStore


def checked(document_store: Any, top_k: Any) -> ChromaPluginDocumentStore:
    """The store. Raises TypeError when it is none of ours, ValueError for a top_k that is not positive."""
    if not isinstance(document_store, ChromaPluginDocumentStore):
        raise TypeError(f"document_store must be a ChromaPluginDocumentStore, not {document_store!r:.100}.")
    if isinstance(top_k, bool) or not isinstance(top_k, int) or top_k < 1:
        raise ValueError(f"top_k must be an int of at least 1, not {top_k!r:.100}.")
    return document_store


def policy_of(filter_policy: FilterPolicy | str) -> FilterPolicy:
    return filter_policy if isinstance(filter_policy, FilterPolicy) else FilterPolicy.from_str(filter_policy)


def read(data: dict[str, Any]) -> dict[str, Any]:
    """The dict of a component with its store and filter policy made."""
    parameters = dict(data.get("init_parameters", {}))
    if isinstance(parameters.get("document_store"), dict):
        parameters["document_store"] = ChromaPluginDocumentStore.from_dict(parameters["document_store"])
    if "filter_policy" in parameters:
        parameters["filter_policy"] = policy_of(parameters["filter_policy"])
    return {**data, "init_parameters": parameters}


def chosen(given: Any, default: Any) -> Any:
    """What `run` was given, else what the component was made with."""
    return default if given is None else given
