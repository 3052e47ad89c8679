"""pytest's skips and expected failures, from the worker to the test that the user sees."""

from __future__ import annotations

import unittest

import pytest

from pytest_costguard.app.endings import Ending, Endings


def _recognise(error: BaseException) -> Ending | None:
    if isinstance(error, pytest.xfail.Exception):
        return Ending(reason=str(error), expected_failure=True)
    if isinstance(error, pytest.skip.Exception | unittest.SkipTest):
        return Ending(reason=str(error))
    return None


def _repeat(ending: Ending) -> None:
    if ending.expected_failure:
        pytest.xfail(ending.reason)  # does nothing under --runxfail
    else:
        pytest.skip(ending.reason)


PYTEST_ENDINGS = Endings(recognise=_recognise, repeat=_repeat)
