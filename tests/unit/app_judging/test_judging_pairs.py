"""What is said of two sides: what keeps a verdict back, and what it would take."""

from __future__ import annotations

import math

import msgspec
import pytest
from factories.judged import judged, only
from factories.judging import WORKLOAD, block, budget, gates, measurement, regression, run, unit

from pytest_costguard.records import (
    Against,
    Commit,
    Comparison,
    Memory,
    Report,
    Sensors,
    Verdict,
)

SHA = "1a2b3c4" + 33 * "0"
SPREAD = (0.03, 0.03, -0.03, -0.03, 0.01, -0.01)
"""Not in step with who is started first, which the model takes out."""


def sides(change, *, spread, units, memory=0):
    """Base and head that is slower by `change`, the units' noise `spread` times that of SPREAD."""
    noise = [spread * SPREAD[index % 6] for index in range(units)]
    peaks = [
        Memory(peak_bytes=1 << 20, method="test") if k < memory else None for k in range(units)
    ]
    base = [unit(0.001, index=k, memory=peak) for k, peak in enumerate(peaks)]
    head = [
        unit(0.001 * math.exp(change + wobble), index=k, memory=peak)
        for k, (wobble, peak) in enumerate(zip(noise, peaks, strict=True))
    ]
    return measurement(base), measurement(head)


def reported(change, *, spread, units, seconds=10.0, memory=0, metric="mean") -> Report:
    base, head = sides(change, spread=spread, units=units, memory=memory)
    return reported_of(base, head, seconds=seconds, metric=metric)


def reported_of(base, head, *, seconds=10.0, metric="mean") -> Report:
    against = Against(
        requested="main",
        found_as="branch main",
        run=run(base, run_id="r-base", commit=Commit(sha=SHA)),
        looks=(6, 10, 16, 24),
        seconds={str(WORKLOAD): seconds},
    )
    return judged(run(head), against=against, gates=gates(regression(metric)))


def test_what_was_noted_on_base_alone_is_told_as_such():
    base, head = (
        msgspec.structs.replace(one, notes=notes)
        for one, notes in zip(
            sides(0.0, spread=0.1, units=6), (("both", "it alone"), ("both",)), strict=True
        )
    )
    assert only(reported_of(base, head)).warnings == ("both", "on base, it alone")


def compared(change, **how) -> Comparison:
    (comparison,) = only(reported(change, **how)).comparisons
    return comparison


def test_a_failing_test_is_told_which_revision_base_is_and_how_many_units_decided():
    (message,) = only(reported(0.1, spread=0.1, units=6)).failing
    assert f"head:     1.11 ms; base (main, {SHA[:12]}): 1.00 ms, 6 units" in message


def test_time_that_ended_between_two_looks_is_told_from_a_change_that_is_too_close():
    found = compared(0.035, spread=0.4, units=8, seconds=16.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "about 2 more units would decide, 4 s" in found.reason


def test_a_change_between_the_limits_is_too_close_though_the_units_were_enough():
    found = compared(0.04, spread=0.3, units=8)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.endswith("this one is too close to what is allowed")


def test_noise_that_no_look_can_see_through_says_what_can_be_done_instead():
    found = compared(0.0, spread=6.0, units=24, seconds=24.0)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "more unit" not in found.reason
    assert "--costguard-deep ends at 48: raise catch (5 % now), or use a quieter" in found.reason


def in_four_slices(third):
    """A unit of eight inputs, two a block: the third slice takes `third` seconds a request."""
    seconds = [0.001, 0.001, third, 0.001] * 4
    return {
        "samples": [one for one in seconds for _ in range(2)],
        "blocks": [block(2 * one, requests=2) for one in seconds],
    }


def test_a_total_that_keeps_unchanged_back_says_what_to_do():
    # The third slice takes half of the time and is 10 % slower, give or take.
    base = [unit(index=k, **in_four_slices(0.003)) for k in range(6)]
    head = [unit(index=k, **in_four_slices(0.003 * math.exp(0.1 + SPREAD[k]))) for k in range(6)]
    (found,) = only(
        reported_of(measurement(base, input_count=8), measurement(head, input_count=8))
    ).comparisons

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("most inputs are not slower, but their total is at +5.3 %")
    assert found.reason.endswith("a test of their own, or measure longer (--costguard-deep)")


def now_and_then(seconds):
    """A unit of forty requests of 1 ms, of which the last takes this long."""
    each = [0.001] * 39 + [seconds]
    return {"samples": each, "blocks": [block(one, requests=1) for one in each]}


def test_few_requests_that_take_long_now_and_then_are_not_unchanged():
    base = [unit(index=k, **now_and_then(0.001)) for k in range(6)]
    head = [unit(index=k, **now_and_then((0.009, 0.001, 0.006)[k % 3])) for k in range(6)]
    (found,) = only(reported_of(measurement(base), measurement(head))).comparisons

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith(
        "most requests are not slower, but all of them together are at +10.5 %"
    )
    assert found.reason.endswith(
        ": look for what takes long now and then (p99 may show it), or measure longer"
        " (--costguard-deep)"
    )


def test_few_requests_that_wait_now_and_then_are_not_unchanged_by_cpu_time():
    def slept(seconds):
        made = now_and_then(0.001 + seconds)
        blocks = [msgspec.structs.replace(one, cpu_seconds=0.001) for one in made["blocks"]]
        return made | {"blocks": blocks}

    base, head = (
        measurement(
            [
                msgspec.structs.replace(unit(index=k, **slept(seconds)), clock="cpu")
                for k in range(6)
            ]
        )
        for seconds in (0.0, 0.008)
    )
    (found,) = only(reported_of(base, head)).comparisons

    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith(
        "by CPU time it is not slower, but by wall time all requests together are at +20.0 %"
    )
    assert "compare by --costguard-clock=wall" in found.reason


def test_few_requests_that_surely_take_long_are_a_regression_that_says_so():
    base = [unit(index=k, **now_and_then(0.001)) for k in range(6)]
    head = [unit(index=k, **now_and_then(0.009 + 0.001 * SPREAD[k])) for k in range(6)]
    (found,) = only(reported_of(measurement(base), measurement(head))).comparisons

    assert found.verdict is Verdict.REGRESSED
    assert found.reason.startswith(
        "some requests got much slower, all of them together surely more than"
    )
    assert found.ratio == pytest.approx(1.2, abs=0.01)


def test_memory_of_too_few_units_says_how_many_there_are():
    found = compared(0.0, spread=0.1, units=8, memory=2, metric="peak_memory")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason.startswith("2 units of both sides: at least 4 are needed")
    assert "--costguard-time" in found.reason


@pytest.mark.parametrize("change", [-0.2, 0.0])
def test_memory_that_neither_side_has_is_not_measured(change):
    found = compared(change, spread=0.1, units=6, metric="peak_memory")
    assert found.reason.startswith("peak memory was not measured")


def with_sensors(of, **readings):
    sensors = Sensors(wall_seconds=1.0, cpu_seconds=1.0, **readings)
    units = tuple(msgspec.structs.replace(one, sensors=sensors) for one in of.units)
    return msgspec.structs.replace(of, units=units)


def test_budgets_and_quality_share_their_error_among_the_looks_at_which_measuring_may_end():
    """Head is a little beyond both limits: surely by the error of one look, not by a fourth."""
    worse = [1 + share for share in (0.012, 0.006, 0.009, 0.004, 0.011, 0.006)]
    base = measurement([unit(0.001, index=k, quality=1.0) for k in range(6)])
    head = measurement([unit(0.001 * v, index=k, quality=2 - v) for k, v in enumerate(worse)])

    def verdicts(looks):
        against = Against(
            requested="main",
            found_as="branch main",
            run=run(base, run_id="r-base", commit=Commit(sha=SHA)),
            looks=looks,
        )
        held = gates(
            budget("mean", 0.0010012), regression("quality", allow=0.0005, catch=0.01), regression()
        )
        found = only(judged(run(head), against=against, gates=held))
        (limit,) = found.budgets
        (quality,) = [one for one in found.comparisons if one.metric == "quality"]
        return limit, quality

    limit, quality = verdicts((6,))
    assert (limit.verdict, quality.verdict) == ("over", "regressed")
    assert "a chance of 0.333 %" in limit.reason
    limit, quality = verdicts((6, 10, 16, 24))
    assert (limit.verdict, quality.verdict) == ("inconclusive", "inconclusive")
    assert "a chance of 0.0833 %" in limit.reason


def explained(*, base=None, head=None):
    """Return the reason of a verdict that is not decided, with sensors on either side."""
    before, after = sides(0.03, spread=4.0, units=24)
    before, after = with_sensors(before, **(base or {})), with_sensors(after, **(head or {}))
    against = Against(
        requested="main",
        found_as="branch main",
        run=run(before, run_id="r-base", commit=Commit(sha=SHA)),
        looks=(6, 10, 16, 24),
    )
    report = judged(run(after), against=against, gates=gates(regression()))
    (comparison,) = only(report).comparisons
    assert comparison.verdict is Verdict.INCONCLUSIVE
    return comparison.reason


def test_what_disturbed_either_side_explains_a_verdict_that_is_not_decided():
    stolen = {"steal_seconds": 0.2}
    assert "the hypervisor" not in explained()
    assert "while it was measured, the hypervisor took 20 % of the time" in explained(head=stolen)
    assert "while base was measured, the hypervisor took 20 %" in explained(base=stolen)
    assert explained(base=stolen, head=stolen).count("the hypervisor took 20 %") == 1
    both = explained(base={"throttled_seconds": 0.5}, head=stolen)
    assert "the hypervisor took 20 % of the time; on base, the container was throttled" in both
