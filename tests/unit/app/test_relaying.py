"""A command that runs as a part of us: output in order, nothing late, signals handed on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

PROGRAM = """
import sys
from pytest_costguard.app.relaying import relayed
code = relayed([sys.executable, "-u", "-c", sys.argv[1]], {})
print("closing", flush=True)
raise SystemExit(code)
"""


def started(child, **how):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, child],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **how,
    )


def test_both_streams_come_before_the_closing_and_the_exit_code_comes_back():
    child = "import sys\\nfor n in range(5000): print(n, file=sys.stderr)\\nsys.exit(7)"
    process = started(child.replace("\\n", "\n"))
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 7
    assert printed.splitlines()[-2:] == ["4999", "closing"]


@pytest.mark.skipif(os.name != "posix", reason="fork")
def test_what_is_left_behind_prints_nothing_after_the_closing():
    child = """
import os, time
if os.fork() == 0:
    for _ in range(100):
        time.sleep(0.1)
        os.write(1, b"::error::late\\n")
    os._exit(0)
print("done")
"""
    process = started(child)
    printed, _ = process.communicate(timeout=60)
    assert printed.splitlines()[-1] == "closing"


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_command_and_its_own_end_is_waited_for(number):
    child = """
import signal, sys, time
def leave(*_):
    time.sleep(0.5)
    print("in order")
    sys.exit(3)
signal.signal(signal.SIGTERM, leave)
signal.signal(signal.SIGINT, leave)
print("ready")
time.sleep(60)
"""
    process = started(
        child, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(number)
    printed, _ = process.communicate(timeout=60)
    assert printed.splitlines() == ["in order", "closing"]
    assert process.returncode == 3
