"""What the sensors say disturbed a measurement, in words that explain an inconclusive verdict."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_costguard.records import Measurement
from pytest_costguard.stats.unserved import waited_seconds

_SHARE_THAT_MATTERS = 0.02
_SWITCHES_A_SECOND_THAT_MATTER = 50.0


def disturbances(measurement: Measurement) -> tuple[str, ...]:
    """Name each disturbance of the timed stretches that is large enough to explain noise.

    Waiting of the serving threads for a core, or time taken by the hypervisor, above 2 % of the
    wall time, any throttling, more than 50 involuntary switches a second, a device whose clock was
    held down. What the machine does not tell is not named. While both sides shared a core they
    waited for it by design: then only the hypervisor and throttling count.
    """
    sensors = [unit.sensors for unit in measurement.units if unit.sensors.wall_seconds > 0]
    wall = sum(reading.wall_seconds for reading in sensors)
    if not wall:
        return ()
    shared = [unit.together_sensors for unit in measurement.units if unit.together_sensors]
    everything = [*sensors, *shared]
    waited = min(1.0, waited_seconds(sensors, measurement) / wall)
    stolen = _total(reading.steal_seconds for reading in everything) / sum(
        reading.wall_seconds for reading in everything
    )
    throttled = _total(reading.throttled_seconds for reading in everything)
    switches = _total(reading.involuntary_switches for reading in sensors) / wall
    found = []
    if waited > _SHARE_THAT_MATTERS:
        found.append(f"it waited for a core {waited:.0%} of the time".replace("%", " %"))
    if stolen > _SHARE_THAT_MATTERS:
        found.append(f"the hypervisor took {stolen:.0%} of the time".replace("%", " %"))
    if throttled > 0:
        found.append(f"the container was throttled for {throttled:.2g} s")
    if switches > _SWITCHES_A_SECOND_THAT_MATTER:
        found.append(f"it was interrupted {switches:.0f} times a second")
    lowered = dict.fromkeys(why for reading in sensors for why in reading.device_lowered_by)
    if lowered:
        found.append(f"the device lowered its clock ({', '.join(lowered)})")
    return tuple(found)


def _total(readings: Iterable[float | None]) -> float:
    return sum(reading for reading in readings if reading is not None)
