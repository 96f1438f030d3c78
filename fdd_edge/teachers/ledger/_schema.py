"""The ledger's tables, and how its database is opened."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from fdd_edge.errors import FddError

__all__ = ["connect", "connect_to_read"]

_VERSION = 2

_TABLES = """
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'sent', 'waiting', 'done', 'failed')),
    run TEXT NOT NULL, round INTEGER NOT NULL, teacher TEXT NOT NULL,
    purpose TEXT NOT NULL, problem_id TEXT NOT NULL, draw INTEGER NOT NULL,
    base_url TEXT NOT NULL, model TEXT NOT NULL, body TEXT NOT NULL,
    reserved_at TEXT NOT NULL, sent_at TEXT, ended_at TEXT,
    reply TEXT, finish_reason TEXT, answered_by TEXT, latency REAL,
    input_tokens INTEGER, cached_input_tokens INTEGER, output_tokens INTEGER,
    price TEXT, cost REAL, price_source TEXT,
    fault TEXT, detail TEXT,
    most_tokens INTEGER, most_cost REAL
) STRICT;
CREATE INDEX attempts_by_key ON attempts (key) WHERE state = 'done';
CREATE INDEX attempts_by_run ON attempts (run, round);
CREATE TABLE uses (
    run TEXT NOT NULL, round INTEGER NOT NULL, teacher TEXT NOT NULL,
    purpose TEXT NOT NULL, problem_id TEXT NOT NULL, draw INTEGER NOT NULL,
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    PRIMARY KEY (run, round, purpose, problem_id, draw, attempt)
) STRICT, WITHOUT ROWID;
"""
"""``attempts``: a row for every attempt to ask, paid or not; ``waiting`` ones are in the file of a batch.
``uses``: replies that a run found, and need not pay.
``most_tokens`` and ``most_cost``: what an attempt can have cost, where nobody has said what it did; 0 if nothing."""

_SINCE_VERSION_1 = (
    "ALTER TABLE attempts ADD COLUMN most_tokens INTEGER",
    "ALTER TABLE attempts ADD COLUMN most_cost REAL",
)
"""Brings a database of version 1 to this one."""

_PATIENCE = 60
"""Seconds to wait for another process that writes."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, and make it if it does not exist.

    What is committed survives a loss of power: ``synchronous=FULL`` waits for the disk.

    Raises:
        FddError: It is damaged, of a later version, or not a database.
    """
    try:
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < _VERSION:
            for statement in _TABLES.split(";\n") if version == 0 else _SINCE_VERSION_1:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise FddError(
            f"{path}, the ledger of paid calls, cannot be opened: {error}. Move it away to begin a new one; replies "
            "that are in it would be paid again."
        ) from None
    if version > _VERSION:
        connection.close()
        raise FddError(f"{path}, the ledger of paid calls, was written by a later version of fdd-edge; upgrade it.")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the database, which may be one that this process must not write to.

    Raises:
        FddError: It cannot be read.
    """
    try:
        return connect(path)
    except FddError as error:
        # A folder without write access cannot hold the files that readers of a live database share.
        for how in ("mode=ro", "mode=ro&immutable=1"):
            with suppress(sqlite3.Error):
                connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None)
                if connection.execute("PRAGMA user_version").fetchone() == (_VERSION,):
                    return connection
                connection.close()
        raise error from None
