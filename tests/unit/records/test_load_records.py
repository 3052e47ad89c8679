"""What one record of load says must agree with itself, wherever it was read from."""

from __future__ import annotations

import json

import msgspec
import pytest
from factories.judging import block, measurement, unit
from factories.loads import a_load, a_loop, loaded

from pytest_costguard.records import ColdStart, Energy, Measurement, Memory, Probe

SOUND = {"window_requests": (4,), "unanswered": (1,), "failures": {"full": 1}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"lateness_seconds": (1e-6,) * 3}, "lateness_seconds must hold one for each of 4"),
        ({"lateness_seconds": (-1.0,) * 4}, "lateness_seconds must not be negative"),
        ({"service_seconds": (0.1,) * 4}, "one for each answered request"),
        ({"unanswered": (4,)}, "places below 4"),
        ({"unanswered": (1, 1)}, "service_seconds|each once"),
        ({"unanswered": (-1,)}, "places below 4"),
        ({"failures": {"full": 2}}, "one reason"),
        ({"failures": {"full": -3}}, "failures must not be negative"),
        ({"backlog": (-5,)}, "backlog must not be negative"),
        ({"cache_hits": -4}, "cache_hits must not be negative"),
        ({"within_slo": 5}, "within_slo must be from 0 to 4"),
        ({"window_requests": ()}, "window_requests must hold at least one window"),
        ({"window_requests": (0,)}, "window_requests must be"),
        ({"dispatched_rate": -1.0}, "dispatched_rate must be"),
        ({"answered_seconds": 0.0}, "answered_seconds must be"),
    ],
)
def test_what_contradicts_itself_is_refused(changes, problem):
    whole = {
        "lateness_seconds": (1e-6,) * 4,
        "service_seconds": (0.1,) * 3,
        "backlog": (1,) * 20,
        **SOUND,
        **changes,
    }

    with pytest.raises(ValueError, match=problem):
        a_loop(**whole)


def test_a_unit_has_a_latency_for_each_answer():
    one = loaded(latencies=[0.1] * 5, unanswered=(2,))

    with pytest.raises(ValueError, match="latency_seconds must hold one for each answered"):
        type(one)(
            **{
                name: getattr(one, name) if name != "latency_seconds" else (0.1,) * 6
                for name in one.__struct_fields__
            }
        )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rate", 5e-324),
        ("dispatched_rate", 1e308),
        ("answered_seconds", 5e-324),
        ("answered_seconds", 1e308),
        ("lateness_seconds", [0.0, 0.0, 0.0, 1e308]),
        ("service_seconds", [1e308, 0.1, 5e-324, 0.1]),
        ("ramp_lateness_seconds", [1e308]),
        ("backlog", [0] * 19 + [10**400]),
        ("window_requests", []),
        ("window_requests", [10**400]),
        ("failures", {"full": -(10**400)}),
        ("cache_hits", 10**400),
        ("batch_sizes", {"1": -1}),
        ("parts", [0, 0, 0, -3]),
        ("within_slo", 10**400),
    ],
)
def test_what_nobody_can_have_measured_under_load_is_refused_by_its_name(field, value):
    whole = json.loads(msgspec.json.encode(a_load([loaded(latencies=[0.1] * 4)])))
    whole["units"][0]["open_loop"][field] = value

    with pytest.raises(msgspec.ValidationError, match=rf"^{field} must"):
        decoded(whole)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("latency_seconds", 0), 1e308),
        (("latency_seconds", 3), 5e-324),
        (("calibration_seconds", 0), 5e-324),
        (("blocks", 0, "wall_seconds"), 5e-324),
        (("blocks", 0, "cpu_seconds"), 1e308),
        (("blocks", 0, "requests"), 10**400),
        (("blocks", 0, "items"), 2**53 + 1),
        (("sensors", "wall_seconds"), 1e308),
        (("sensors", "steal_seconds"), -1e308),
        (("memory", "peak_bytes"), 10**400),
        (("memory", "device_peak_bytes"), -1),
        (("cold_start", "load_seconds"), 1e308),
        (("energy", "joules"), 1e308),
        (("quality",), 1e308),
    ],
)
def test_what_no_unit_can_have_measured_is_refused_by_its_name(path, value):
    whole = json.loads(
        msgspec.json.encode(
            measurement(
                [
                    msgspec.structs.replace(
                        unit(
                            samples=[0.1] * 4,
                            blocks=[block(0.4, requests=4)],
                            calibration=0.01,
                            quality=0.5,
                        ),
                        memory=Memory(peak_bytes=1, method="rss", device_peak_bytes=0),
                        cold_start=ColdStart(load_seconds=0.0, first_call_seconds=0.0),
                        energy=Energy(joules=0.0, items=4, source="rapl"),
                    )
                ]
            )
        )
    )
    at = whole["units"][0]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value

    name = next(key for key in reversed(path) if isinstance(key, str))
    with pytest.raises(msgspec.ValidationError, match=f"^{name} must"):
        decoded(whole)


@pytest.mark.parametrize("moments", [1, 19, 25, 41])
def test_moments_that_are_not_of_as_many_windows_are_refused(moments):
    with pytest.raises(ValueError, match="backlog must hold 20 counts for each window"):
        a_loop(window_requests=(300, 200), backlog=(0,) * moments, backlog_arrived=(300, 200))


def test_more_under_way_than_there_were_is_refused():
    with pytest.raises(ValueError, match="backlog=1000 is not of a window of 300 requests"):
        a_loop(window_requests=(300,), backlog=(0,) * 19 + (1000,))


def test_an_open_loop_whose_units_tell_nothing_of_it_is_refused():
    whole = json.loads(msgspec.json.encode(a_load([loaded(latencies=[0.1] * 4)])))
    whole["units"][0]["open_loop"] = None

    with pytest.raises(msgspec.ValidationError, match="open_loop must be in each unit"):
        decoded(whole)


def test_a_closed_loop_with_what_load_has_shown_is_refused():
    whole = json.loads(msgspec.json.encode(a_load([loaded(latencies=[0.1] * 4)])))
    whole["declaration"]["scenario"] = {"kind": "single_stream"}

    with pytest.raises(msgspec.ValidationError, match="open_loop must be in each unit"):
        decoded(whole)


def test_what_is_at_the_bounds_is_kept():
    least, most = 1e-12, 1e9
    loop = {
        "lateness_seconds": (0.0, most),
        "service_seconds": (least, most),
        "window_requests": (2,),
    }

    assert a_loop(**loop).requests == 2
    assert unit(samples=[least, most], blocks=[block()]).latency_seconds == (least, most)


def test_a_probe_tells_what_can_have_been_sent():
    for changes in ({"rate": -1.0}, {"requests": -1}, {"late": (-5,)}, {"seconds": -1.0}):
        fields = {"rate": 1.0, "requests": 1, "late": (), "passed": True, "seconds": 1.0}
        with pytest.raises(ValueError, match=next(iter(changes))):
            Probe(**{**fields, **changes})


def decoded(whole):
    return msgspec.json.decode(json.dumps(whole).encode(), type=Measurement)
