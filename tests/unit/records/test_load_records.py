"""What one record of load says must agree with itself, wherever it was read from."""

from __future__ import annotations

import pytest
from factories.loads import a_loop, loaded

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
        ({"window_requests": ()}, "one for each of 0"),
        ({"window_requests": (0,)}, "window_requests must be"),
        ({"dispatched_rate": -1.0}, "dispatched_rate must be"),
        ({"answered_seconds": 0.0}, "answered_seconds must be"),
    ],
)
def test_what_contradicts_itself_is_refused(changes, problem):
    whole = {
        "lateness_seconds": (1e-6,) * 4,
        "service_seconds": (0.1,) * 3,
        "backlog": (1,),
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
