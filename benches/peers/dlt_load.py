#!/usr/bin/env python3
"""Loads a donna tree into PostgreSQL with dlt, into a schema `donna` of its own.

Files are read and rows are made by load.py, so the two differ in what dlt does with rows: it writes them to files,
normalizes these, infers tables from them and copies them there. The tables are as dlt makes them.

    dlt_load.py TREE postgres://user@host/database [--workers N]

Needs dlt[postgres], and what load.py needs.
"""

import argparse
import os
import sys
import tempfile
from itertools import chain, islice

import dlt
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

import load

# dlt advises pages instead of single rows.
PAGE = 5_000

# Files of this many rows, so that several workers have something to do.
FILE_ROWS = 50_000


def pages(table, rows):
    columns = load.TYPES[table][0]
    rows = iter(rows)
    while page := [dict(zip(columns, row)) for row in islice(rows, PAGE)]:
        yield page


@dlt.source
def donna(tree):
    known = {}
    # Read in this order, one after the other: users say who is known.
    rows = {
        "users": chain(load.users(tree, known), load.placeholders(tree, known)),
        "chat_sessions": (load.session_row(*chat, known) for chat in load.chats(tree)),
        "messages": load.all_messages(tree, known),
        "user_memory": load.memory(tree, known),
    }
    # JSON would be text otherwise, and a column in which all is NULL would be missing.
    kinds = {"jsonb": "json", "timestamptz": "timestamp", "int4": "bigint"}
    for table, (columns, types) in load.TYPES.items():
        hints = {name: {"data_type": kinds[kind]} for name, kind in zip(columns, types.split()) if kind in kinds}
        yield dlt.resource(pages(table, rows[table]), name=table, columns=hints, write_disposition="append")


def settings(workers):
    """What a person would write into .dlt/config.toml."""
    dlt.config["runtime.dlthub_telemetry"] = False
    dlt.config["extract.next_item_mode"] = "fifo"
    dlt.config["normalize.workers"] = workers
    dlt.config["load.workers"] = workers
    dlt.config["data_writer.disable_compression"] = True
    dlt.config["data_writer.buffer_max_items"] = PAGE
    dlt.config["data_writer.file_max_items"] = FILE_ROWS


def credentials(url):
    made = PostgresCredentials(url)
    # dlt insists on a password, also where the server wants none.
    made.password = made.password or os.environ.get("PGPASSWORD", "none")
    return made


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--workers", type=int, default=os.cpu_count(), help="of each step")
    arguments.add_argument("tree")
    arguments.add_argument("database")
    given = arguments.parse_args()
    settings(given.workers)
    with tempfile.TemporaryDirectory() as scratch:
        pipeline = dlt.pipeline(
            "donna",
            pipelines_dir=scratch,
            destination=dlt.destinations.postgres(credentials(given.database)),
            dataset_name="donna",
        )
        # By COPY; dlt's own choice, insert_values, is slower and writes a JSON string without its quotes.
        result = pipeline.run(donna(given.tree), loader_file_format="csv")
        result.raise_on_failed_jobs()
    return 0


if __name__ == "__main__":
    sys.exit(main())
