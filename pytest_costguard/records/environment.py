"""The machine and the software that a measurement was made on."""

from __future__ import annotations

from pytest_costguard.records.base import Record


class Fingerprint(Record, frozen=True, kw_only=True):
    """Where a measurement was made. Two are compared by `differences`."""

    cpu_model: str
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()
    driver: str = ""
    os: str = ""
    container_limits: str = ""
    python: str = ""
    packages: dict[str, str] = {}
    """Versions of the runtimes that matter: torch, onnxruntime, numpy."""

    def identity(self) -> tuple[object, ...]:
        """What must be equal for two measurements to be comparable."""
        return (self.cpu_model, self.cores, self.gpus)


class Difference(Record, frozen=True, kw_only=True):
    """One field in which two fingerprints differ; `decisive` makes them not comparable."""

    field: str
    ours: str
    theirs: str
    decisive: bool


_DECISIVE = ("cpu_model", "cores", "gpus")
_SHOWN = ("memory_bytes", "driver", "os", "container_limits", "python")


def differences(ours: Fingerprint, theirs: Fingerprint) -> tuple[Difference, ...]:
    """Name every field in which two fingerprints differ, the decisive ones first."""
    found = [
        Difference(
            field=name,
            ours=str(getattr(ours, name)),
            theirs=str(getattr(theirs, name)),
            decisive=name in _DECISIVE,
        )
        for name in (*_DECISIVE, *_SHOWN)
        if getattr(ours, name) != getattr(theirs, name)
    ]
    for package in sorted(ours.packages.keys() | theirs.packages.keys()):
        mine, other = ours.packages.get(package, "absent"), theirs.packages.get(package, "absent")
        if mine != other:
            found.append(Difference(field=package, ours=mine, theirs=other, decisive=False))
    return tuple(found)
