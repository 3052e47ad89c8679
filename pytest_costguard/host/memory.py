"""The peak resident memory of a phase, exact where the system can forget an earlier peak."""

from __future__ import annotations

from pathlib import Path

from pytest_costguard.host.proc import parse_fields, parse_kib, read_text
from pytest_costguard.host.process import OwnProcess, Process

RESET_METHOD = "VmHWM after reset"
"""The kernel's own high-water mark since `reset`: no polling, nothing missed."""
LIFETIME_METHOD = "lifetime maximum, not reset"
"""The largest since the process was started: start-up and loading included."""


class PeakMemory:
    """Reads how much memory this process held at its peak since `reset`.

    Args:
        root: where `proc` is.
        process: who is asked where `/proc` does not tell.
    """

    def __init__(self, root: Path = Path("/"), *, process: Process | None = None) -> None:
        self._status = root / "proc/self/status"
        self._clear_refs = root / "proc/self/clear_refs"
        self._process = process or OwnProcess()
        self._was_reset = False

    def reset(self) -> bool:
        """Let the peak start again from what is resident now; return whether that worked.

        Writing 5 to `clear_refs` sets the mark to the present size (proc(5), Linux 4.0 and later).
        """
        try:
            # Opened without creating it: where there is no `/proc`, nothing must appear.
            with self._clear_refs.open("r+b", buffering=0) as clear_refs:
                clear_refs.write(b"5")
            self._was_reset = True
        except OSError:
            self._was_reset = False
        return self._was_reset

    def read(self) -> tuple[int, str] | None:
        """Return the peak in bytes and the method, or None where nothing tells.

        Without a `reset` that worked, the peak is that of the process's whole life. `VmHWM` goes
        before `ru_maxrss` even then, since the latter keeps the size of the parent across exec.
        """
        peak = parse_kib(parse_fields(read_text(self._status) or "").get("VmHWM"))
        if peak:
            return peak, RESET_METHOD if self._was_reset else LIFETIME_METHOD
        lifetime = self._process.lifetime_peak_bytes()
        return (lifetime, LIFETIME_METHOD) if lifetime else None
