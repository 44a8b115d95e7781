"""What a server allows, and how much of it."""

from __future__ import annotations

from dataclasses import field

from chroma_plugin.frozen import frozen
from chroma_plugin.server.tokens import Tokens

MEBIBYTE = 2**20


@frozen
class Limits:
    """Where the server says no, each with an answer that names the limit."""

    body_bytes: int = 64 * MEBIBYTE
    """The largest request body; more is 413."""
    buffered_bytes: int = 256 * MEBIBYTE
    """The bodies of all requests together; more is 503."""
    batch: int = 100_000
    """The most records in one request; more is 413. Clients ask for it and split."""
    concurrent: int = 1000
    """Requests that are worked on or wait for a thread; more is 503."""
    seconds: float = 300.0
    """How long a request may take once its body is there; longer is 504."""
    stalled_seconds: float = 10.0
    """How long a client may take to send its headers, and to send nothing of its body; longer is 408. Six times as
    long it may read nothing of its answer; then the connection is closed.
    """
    threads: int = 8
    """Threads for reads, and as many for writes."""


@frozen
class ServerConfig:
    """How an application answers."""

    tokens: Tokens = field(default_factory=Tokens)
    """Who may do what. None: everybody everything."""
    limits: Limits = field(default_factory=Limits)
    allow_reset: bool = False
    cors_origins: tuple[str, ...] = ()
    """Web pages of these origins may call, e.g. ``https://app.example.com``; ``*`` is all."""
    allowed_hosts: tuple[str, ...] | None = None
    """The names by which clients may call the server; None is any. A server on loopback should have some: else web
    pages reach it under a name of their own.
    """
