"""The tables, and how a database of an older release becomes one of this.

Names that stand in statements are the schema, which `PgvectorOptions` has checked, and numbers that PostgreSQL gave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from psycopg import errors as sql

from chroma_plugin.errors import FormatVersionError, UnsupportedError
from chroma_plugin.types import DEFAULT_DATABASE, DEFAULT_TENANT
from chroma_plugin_pgvector.database import Database, Statements

_LEAST_PGVECTOR: Final = (0, 8)
_MIGRATING: Final = 0x6368726F6D61
"""The advisory lock that one migrating process holds at a time."""

Migration = Callable[[Statements, str], None]
"""Called with the quoted schema."""


def quoted(schema: str) -> str:
    return f'"{schema}"'


def records_table(schema: str, number: int) -> str:
    """The table of the collection with that number."""
    return f"{quoted(schema)}.records_{int(number)}"


def create_records(schema: str, number: int, *, full_text: bool) -> list[str]:
    """The statements that make an empty table for a collection."""
    table, name = records_table(schema, number), f"records_{int(number)}"
    statements = [
        f"""CREATE TABLE {table} (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id text COLLATE "C" NOT NULL UNIQUE,
            long_id text COLLATE "C",
            embedding vector NOT NULL,
            document text COLLATE "C",
            metadata text,
            fields jsonb NOT NULL,
            uri text COLLATE "C",
            terms jsonb,
            length integer
        )""",
        f"CREATE INDEX {name}_fields ON {table} USING gin (fields jsonb_path_ops)",
    ]
    if full_text:
        statements += [
            f"CREATE INDEX {name}_terms ON {table} USING gin (terms)",
            f"CREATE INDEX {name}_length ON {table} (length) WHERE length IS NOT NULL",
        ]
    return statements


def _first(statements: Statements, schema: str) -> None:
    """Version 1."""
    for statement in (
        f'CREATE TABLE {schema}.tenants (name text COLLATE "C" PRIMARY KEY, made bigint GENERATED ALWAYS AS IDENTITY)',
        f"""CREATE TABLE {schema}.databases (
            tenant text COLLATE "C" REFERENCES {schema}.tenants,
            name text COLLATE "C",
            made bigint GENERATED ALWAYS AS IDENTITY,
            PRIMARY KEY (tenant, name)
        )""",
        f"""CREATE TABLE {schema}.collections (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            id uuid UNIQUE NOT NULL,
            tenant text COLLATE "C" NOT NULL,
            database text COLLATE "C" NOT NULL,
            name text COLLATE "C" NOT NULL,
            metadata text,
            configuration text NOT NULL,
            dimension integer,
            full_text boolean NOT NULL,
            UNIQUE (tenant, database, name),
            FOREIGN KEY (tenant, database) REFERENCES {schema}.databases
        )""",
    ):
        statements.rows(statement)
    add_defaults(statements, schema)


def add_defaults(statements: Statements, schema: str) -> None:
    """The tenant and the database that are always there; ``schema`` is quoted."""
    statements.rows(f"INSERT INTO {schema}.tenants (name) VALUES (%s)", (DEFAULT_TENANT,))
    statements.rows(
        f"INSERT INTO {schema}.databases (tenant, name) VALUES (%s, %s)", (DEFAULT_TENANT, DEFAULT_DATABASE)
    )


MIGRATIONS: Final[tuple[Migration, ...]] = (_first,)
"""What makes version n + 1 out of version n. An entry never changes once it is released."""


def prepare(database: Database, schema: str, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Bring the schema to this release's version. Nothing is written when it is there already.

    Raises FormatVersionError for a schema of a newer release, UnsupportedError without pgvector of 0.8 or later.
    """
    if _version(database, schema) == len(migrations):
        return
    database.transaction(lambda statements: _migrate(statements, schema, migrations))


def _version(database: Database, schema: str) -> int:
    known = database.rows("SELECT to_regclass(%s) IS NOT NULL", (f"{quoted(schema)}.versions",))
    if not known[0][0]:
        return 0
    [(version,)] = database.rows(f"SELECT max(version) FROM {quoted(schema)}.versions")
    return int(version)


def _migrate(statements: Statements, schema: str, migrations: tuple[Migration, ...]) -> None:
    # Whoever waited here finds the work done.
    statements.rows("SELECT pg_advisory_xact_lock(%s)", (_MIGRATING,))
    _need_pgvector(statements)
    statements.rows(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}")
    statements.rows(
        f"CREATE TABLE IF NOT EXISTS {quoted(schema)}.versions "
        "(version integer PRIMARY KEY, migrated timestamptz NOT NULL DEFAULT now())"
    )
    [(version,)] = statements.rows(f"SELECT coalesce(max(version), 0) FROM {quoted(schema)}.versions")
    if version > len(migrations):
        raise FormatVersionError(
            f"The schema {schema!r} has version {version}, and this release knows versions up to {len(migrations)}. "
            "Update chroma-plugin, or use another schema."
        )
    for number, migration in enumerate(migrations[version:], version + 1):
        migration(statements, quoted(schema))
        statements.rows(f"INSERT INTO {quoted(schema)}.versions (version) VALUES (%s)", (number,))


def _need_pgvector(statements: Statements) -> None:
    installed = _pgvector(statements)
    if installed is None:
        try:
            statements.rows("CREATE EXTENSION IF NOT EXISTS vector")
        except (sql.FeatureNotSupported, sql.UndefinedFile, sql.InsufficientPrivilege) as error:
            raise UnsupportedError(
                "This database has no extension 'vector', and it can't be made here: "
                f"{error.diag.message_primary}. Install pgvector 0.8 or later on the server and let an administrator "
                "run: CREATE EXTENSION vector"
            ) from error
        installed = _pgvector(statements) or ""
    if _numbers(installed) < _LEAST_PGVECTOR:
        raise UnsupportedError(
            f"pgvector {installed} is too old: filtered searches need 0.8 or later. Install it on the server, then "
            "run: ALTER EXTENSION vector UPDATE"
        )


def _pgvector(statements: Statements) -> str | None:
    found: list[Any] = statements.rows("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    return str(found[0][0]) if found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
