from __future__ import annotations

import pytest

from pytest_costguard.engine.last_words import ending, telling_part, told_error


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (0, "ended with exit code 0"),
        (7, "ended with exit code 7"),
        (-9, "was ended by SIGKILL; the system does that where memory runs out"),
        (-15, "was ended by SIGTERM"),
        (-1000, "was ended by signal 1000"),
    ],
)
def test_an_exit_status_is_put_into_words(status, said):
    assert ending(status) == said


def test_a_process_that_still_runs_may_have_closed_its_descriptors():
    assert "still runs" in ending(None)
    assert "descriptor" in ending(None)


def test_a_crash_is_told_from_its_head_and_without_the_frames_of_pytest():
    told = telling_part(
        "loading\n"
        "Fatal Python error: Segmentation fault\n\n"
        '  File "/home/me/test_a.py", line 3 in serve\n'
        '  File "/lib/site-packages/_pytest/python.py", line 187 in pytest_pyfunc_call\n'
        '  File "/lib/site-packages/pluggy/_callers.py", line 12 in _multicall\n'
        "\nExtension modules: " + "numpy, " * 2000
    )
    assert told.startswith("Fatal Python error: Segmentation fault")
    assert "test_a.py" in told
    assert "_pytest" not in told
    assert "pluggy" not in told


def test_what_is_no_crash_is_told_from_its_end():
    assert telling_part("x" * 10_000 + "\nterminate called\n").endswith("terminate called")
    assert len(telling_part("x" * 10_000)) < 5000


def test_the_error_that_pytest_shows_last_is_told_in_a_line():
    output = "tests/a.py:1: in <module>\n    import gone\nE   ModuleNotFoundError: gone\n"
    output += "E    +  where\nE   \n==="
    assert told_error("E   first\n" + output) == "ModuleNotFoundError: gone"
    assert told_error("Error: no line of pytest's\n") == ""
