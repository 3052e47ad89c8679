"""A report with a price, as a file: what plans and exports rest on."""

from __future__ import annotations

import msgspec
import pytest
from factories.judged import head, judged
from factories.money import target

from pytest_costguard.cost.unit_cost import cost_of
from pytest_costguard.records import to_json


@pytest.fixture
def report(tmp_path):
    serves = msgspec.structs.replace(target(), stands_for=True)
    path = tmp_path / "report.json"
    path.write_bytes(to_json(judged(head(), target=serves, pricer=cost_of)))
    return path
