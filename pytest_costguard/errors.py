"""One class and one exit code for each cause of failure; every error names its remedy.

They are caught only in `plugin.py` and `cli/`. Exit codes 0 to 5 are pytest's own.
"""

from __future__ import annotations

from typing import ClassVar


class CostguardError(Exception):
    """Something went wrong, and `remedy` says what to do about it."""

    exit_code: ClassVar[int] = 10

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}"


class ConfigError(CostguardError):
    """An option, a marker or a configuration file says something that is not understood."""

    exit_code = 11


class RecordError(CostguardError):
    """A stored file is corrupt, truncated, edited by hand or of a newer version."""

    exit_code = 12


class StoreError(CostguardError):
    """A file could not be written or read: read-only, full, or gone."""

    exit_code = 13


class WorkloadError(CostguardError):
    """A workload could not be loaded, or failed while it was measured."""

    exit_code = 14


class ServerError(WorkloadError):
    """A server that a test starts did not become ready, or ended before it was told to."""


class PortInUse(ServerError):
    """A server's port is another one's: one that was left behind, or the other side's."""


class WorkerError(CostguardError):
    """A worker process died, hung or ended without measuring what it should have."""

    exit_code = 15


class PriceError(CostguardError):
    """A price, a target or a currency is not known or not sound."""

    exit_code = 16


class NotMeasured(CostguardError):
    """A figure was read that this run did not measure."""

    exit_code = 17


class RevisionError(CostguardError):
    """A revision is not known, or what it needs to be measured is not here."""

    exit_code = 18


class ForgeError(CostguardError):
    """GitHub or GitLab refuses something, or cannot be reached."""

    exit_code = 19


class Forbidden(ForgeError):
    """The token may not do this: a fork's, or one without the permission."""


class Missing(ForgeError):
    """What was asked for is not there, or the token may not see it."""


class Uncertain(ForgeError):
    """The connection broke before it was known whether something was made."""
