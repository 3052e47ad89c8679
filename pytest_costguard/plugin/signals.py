"""A termination signal while workers measure ends the session in order, as Ctrl-C does."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from typing import NoReturn

import pytest

from pytest_costguard.app import termination


def ended_in_order() -> AbstractContextManager[None]:
    """Stop the workers and report what was measured; the exit code is the shell's, 143 for TERM."""
    return termination.ended_in_order(_leave)


def _leave(number: int) -> NoReturn:
    pytest.exit(f"{signal.Signals(number).name} while measuring", returncode=128 + number)
