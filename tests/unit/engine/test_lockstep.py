"""The ends of a pair of sessions: whatever interrupts one, the other is stopped too."""

from __future__ import annotations

import pytest

from pytest_costguard.engine.lockstep import stop


class Session:
    def __init__(self, *, interrupted=False):
        self.interrupted = interrupted
        self.said = []

    def release(self):
        self.said.append("release")

    def stop(self):
        self.said.append("stop")
        if self.interrupted:
            raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", ["base", "head"])
def test_both_are_stopped_though_one_end_is_interrupted(interrupted):
    sessions = {side: Session(interrupted=side == interrupted) for side in ("base", "head")}
    with pytest.raises(KeyboardInterrupt):
        stop(sessions)
    assert [one.said for one in sessions.values()] == [["release", "stop"]] * 2
