"""The same workloads for pytest-benchmark, which serves one input at a time."""

import itertools
import os

import depth
import pytest
import stacks

NAMES = os.environ.get("EVIDENCE_WORKLOADS", "").split(",")


@pytest.mark.parametrize("level", depth.LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_peer(benchmark, name, level):
    serve = stacks.served(name, depth.layers(level))
    given = itertools.cycle(stacks.inputs(name))
    benchmark(lambda: serve(next(given)))
