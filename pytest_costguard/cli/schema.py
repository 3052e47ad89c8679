"""`costguard schema`: the JSON Schema of the files that are written."""

from __future__ import annotations

import json
from typing import Any

import click

from pytest_costguard.records import SCHEMA_VERSION, json_schema


def schema_text() -> str:
    """Return the published JSON Schema: that of every file this version writes."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"pytest-costguard records, schema version {SCHEMA_VERSION}",
    }
    body: dict[str, Any] = json_schema()
    for branch in body["anyOf"]:
        definition = body["$defs"][branch["$ref"].rpartition("/")[2]]
        # They have defaults for whoever makes a record; a file must say them.
        definition["required"] = ["schema_version", *definition["required"]]
        definition["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return json.dumps(head | body, indent=2, ensure_ascii=False) + "\n"


@click.command
def schema() -> None:
    """Print the JSON Schema of all records: runs, baselines, reports, experiments, plans."""
    click.echo(schema_text(), nl=False)
