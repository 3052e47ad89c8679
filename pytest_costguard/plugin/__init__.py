"""The pytest plugin. Unused, it imports nothing but itself and its table of options.

`coordinator.py` holds the hooks of a session with `--costguard`, `worker.py` those of the worker
sessions that it starts; each translates pytest's objects into calls on `app/`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_costguard.app.authoring import Backend, Costguard
    from pytest_costguard.app.worker import Worker

_MARKER = (
    "costguard(slo=None, budget=None, regression=None, threads=1, labels=None, traffic=None): "
    "hold this test's inference workloads to limits. "
    'slo={"p99": "50ms"} and budget={"cost_per_1k": "$0.02", "peak_memory": "1.5GiB", '
    '"quality": "99% of baseline"} are limits on a metric; '
    'regression={"mean": {"allow": "2%", "catch": "5%"}} is how much worse than the baseline it '
    'may get ("mean": "2%" alone means catch = 2.5 x allow; "off" switches a default off). '
    "Metrics: mean, p50, p90, p95, p99, throughput, cost_per_1k, peak_memory, "
    "peak_device_memory, cold_start, first_call, energy_per_1k, quality, max_rate, goodput, "
    "error_rate; of a language model ttft_, tpot_ and itl_ with mean, p50, p95 and p99, "
    "output_tokens_per_second, cost_per_1m_output_tokens and others (docs/llm.md); budgets also "
    "monthly_cost and replicas, at the traffic. "
    "threads is how many threads serve the workload; labels are for rules and reports; "
    'traffic="3M/day" is how much it serves in production.'
)

backend_key: pytest.StashKey[Backend] = pytest.StashKey()
"""What `costguard.measure` does in this session; absent without `--costguard`."""


worker_key: pytest.StashKey[Worker] = pytest.StashKey()
"""Set in a session that is a worker."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, from the one table of them.

    Their defaults stay None, so that the cascade can tell what was given.
    """
    from pytest_costguard.config.options import flags

    group = parser.getgroup("costguard", "inference cost, latency and memory (pytest-costguard)")
    for flag in flags():
        group.addoption(flag.name, **flag.arguments)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Become a worker where asked to, before the project's own plugins are configured."""
    if "COSTGUARD_WORKER" in os.environ:
        from pytest_costguard.plugin.worker import start_worker

        start_worker(config)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and take part as a worker or as a coordinator where asked to."""
    config.addinivalue_line("markers", _MARKER)
    if (worker := config.stash.get(worker_key, None)) is not None:
        from pytest_costguard.plugin.worker import register_worker

        register_worker(config, worker)
    elif config.getoption("costguard"):
        from pytest_costguard.plugin.coordinator import register_coordinator

        register_coordinator(config)
    elif without := [arg for arg in config.invocation_params.args if _of_ours(arg)]:
        name = without[0].partition("=")[0]
        config.issue_config_time_warning(
            pytest.PytestConfigWarning(f"{name} does nothing without --costguard: add that too"),
            stacklevel=2,
        )


def _of_ours(argument: str | os.PathLike[str]) -> bool:
    return str(argument).startswith("--costguard-")


@pytest.fixture
def costguard(request: pytest.FixtureRequest) -> Costguard:
    """Measure inference workloads: `result = costguard.measure(model, inputs=[...])`.
    The workload is a function of one input, a torch module, or the path of an ONNX model; for
    coroutine functions use `await costguard.measure_async(...)`; a server that answers is started
    by `with costguard.server([...], ready="http://..."):`. Without `--costguard` the
    workload runs once over its inputs and the test stays a correctness test. With it, latency,
    throughput, memory, cost and quality are measured in fresh processes, compared with the
    baseline and held to the budgets of the marker and the configuration; the result has
    latency.mean/p50/p90/p95/p99, throughput, memory, cost_per_1k, quality, cold_start, energy.
    """  # noqa: D205  # pytest --fixtures shows the first paragraph only
    from pytest_costguard.app.authoring import Costguard
    from pytest_costguard.plugin.markers import marked, marked_slo

    backend = request.config.stash.get(backend_key, None)
    if backend is None:
        from pytest_costguard.app.once import RunOnce

        problem, threads = "", None
        try:
            threads = marked(request.node).threads
        except pytest.UsageError as error:
            problem = str(error)
        if problem:  # outside, so that pytest shows neither that error nor this module
            pytest.fail(problem, pytrace=False)
        backend = RunOnce(threads=threads or 1)
    return Costguard(
        nodeid=request.node.nodeid, backend=backend, marker_slo=marked_slo(request.node)
    )
