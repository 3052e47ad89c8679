"""Servers that tests start, in every mode: run once, measured, and in the last run."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from factories.processes import alive, heed_interrupts
from factories.servers import PROGRAM

from pytest_costguard.host.ports import free_port

MEBIBYTE = 2**20
CLIENT = f"""
import json, os, sys
from http.client import HTTPConnection

PROGRAM = {str(PROGRAM)!r}
READY = "http://127.0.0.1:{{port}}/ready"

def command(*options, port="{{port}}"):
    return [sys.executable, PROGRAM, str(port), *options]

def asked(server, path, body=None):
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET" if body is None else "POST", path, body)
        return connection.getresponse().read()
    finally:
        connection.close()

def infer(server):
    return lambda body: int(asked(server, "/infer", body))

def note(name, server):
    with open(name, "a") as file:
        file.write(json.dumps(json.loads(asked(server, "/pids"))) + "\\n")
"""


@pytest.fixture
def project(project):
    project.write("client.py", CLIENT)
    project.write("conftest.py", "import sys; sys.path.insert(0, '.')")
    return project


def noted(project, name="pids"):
    return [json.loads(line) for line in (project.path / name).read_text().splitlines()]


SERVED = """
    from client import READY, command, infer, note
    def test_it(costguard):
        with costguard.server(command("--child", "1"), ready=READY) as server:
            note("pids", server)
            result = costguard.measure(
                infer(server), inputs=[b"a", b"bc"], quality=sum, served_by=server)
            assert result.quality == 3
"""


def test_without_the_flag_it_is_started_and_the_workload_runs_once(project):
    project.tests(SERVED)
    project.run().assert_outcomes(passed=1)
    (pids,) = noted(project)
    assert not any(map(alive, pids))


def test_it_is_started_in_each_worker_and_once_more_in_the_last_run(project):
    project.tests(SERVED)
    project.measure().assert_outcomes(passed=1)
    started = noted(project)
    assert len({pids[0] for pids in started}) == 2 + 1
    assert not any(map(alive, (pid for pids in started for pid in pids)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_and_cold_start_are_the_servers(project):
    project.tests("""
        from client import READY, command, infer
        BALLAST = bytearray(200_000_000)
        BALLAST[:] = b"x" * len(BALLAST)
        def test_it(costguard):
            late = command("--late", "0.5", "--grows", "60")
            with costguard.server(late, ready=READY) as server:
                result = costguard.measure(infer(server), inputs=[b"a"], served_by=server)
                if result.measured:
                    assert result.cold_start >= server.startup_seconds or result.cold_start > 0.5
                    assert result.memory < 200_000_000
    """)
    project.measure().assert_outcomes(passed=1)
    (measurement,) = project.report["run"]["measurements"]
    assert measurement["declaration"]["details"]["server"].startswith("python")
    for unit in measurement["units"]:
        assert 60 * MEBIBYTE < unit["memory"]["peak_bytes"] < 200_000_000
        assert "server" in unit["memory"]["method"]
        assert unit["cold_start"]["load_seconds"] > 0.5
        assert unit["sensors"]["server_cpu_seconds"] >= 0


def test_a_workload_at_an_address_of_its_is_the_servers_under_load_too(project):
    project.tests("""
        import pytest
        from client import READY, command
        @pytest.mark.parametrize("load", [{}, {"scenario": "server", "rate": 100}])
        def test_it(costguard, load):
            with costguard.server(command(), ready=READY) as server:
                costguard.measure(f"{server.url}/infer", inputs=[b"a", b"bc"], **load)
    """)
    project.measure().assert_outcomes(passed=2)
    for measurement in project.report["run"]["measurements"]:
        assert "server" in measurement["declaration"]["details"]


def test_one_that_ends_under_load_is_the_error_of_its_test_rather_than_slow(project):
    project.tests("""
        from client import READY, command
        def test_it(costguard):
            with costguard.server(command("--serves", "60"), ready=READY) as server:
                costguard.measure(
                    f"{server.url}/infer", inputs=[b"a"], scenario="server", rate=200)
    """)
    result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ended with exit code 41 while it was in use*"])
    assert project.report["run"].get("measurements", []) == []


def test_coroutine_functions_can_ask_it_too(project):
    project.tests("""
        import asyncio
        from client import READY, command, infer
        def test_it(costguard):
            async def main():
                with costguard.server(command(), ready=READY) as server:
                    ask = infer(server)
                    async def serve(body):
                        return await asyncio.to_thread(ask, body)
                    return await costguard.measure_async(
                        serve, inputs=[b"ab"], quality=sum, served_by=server)
            assert asyncio.run(main()).quality == 2
    """)
    project.measure().assert_outcomes(passed=1)


def test_one_that_ends_while_it_is_measured_is_the_error_of_its_test(project):
    project.tests("""
        from client import READY, command, infer
        def test_dies(costguard):
            with costguard.server(command("--serves", "6"), ready=READY) as server:
                costguard.measure(infer(server), inputs=[b"a"], served_by=server)
        def test_sound(costguard):
            costguard.measure(abs, inputs=[1])
    """)
    result = project.measure()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*ended with exit code 41 while it was in use*", "*the model has eaten itself*"]
    )
    result.stdout.no_fnmatch_line("*ConnectionRefusedError*")
    (failure,) = project.report["run"]["failures"]
    assert failure["workload"]["nodeid"] == "test_it.py::test_dies"


@pytest.mark.parametrize("flags", [(), ("--costguard",)])
def test_a_request_that_fails_quotes_the_servers_log(project, flags):
    project.tests(
        """
        from client import READY, command
        def test_it(costguard):
            with costguard.server(command("--fails"), ready=READY) as server:
                costguard.measure(f"{server.url}/infer", inputs=["a"], body="{input}")
        """
    )
    result = project.run(*flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*answered 500*", "*it said last:", "*ERROR: the tensor x*"])


@pytest.mark.parametrize("flags", [(), ("--costguard",)], ids=["once", "measured"])
def test_one_that_does_not_come_up_is_the_error_of_its_test_and_is_tried_no_second_time(
    project, flags
):
    project.tests("""
        import os
        from client import READY, command
        def test_it(costguard):
            with open("tries", "a") as tries:
                tries.write("x")
            with costguard.server(command("--crash"), ready=READY) as server:
                costguard.measure(abs, inputs=[1], served_by=server)
    """)
    result = project.run(*flags)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*ended with exit code 1 before it was ready*", "*the weights are of another model*"]
    )
    # In the workers once, and in the last run, where what is known is said at once.
    assert len((project.path / "tries").read_text()) == (2 if flags else 1)


def test_a_port_that_something_else_has_is_an_error_that_says_so(project):
    with socket.create_server(("127.0.0.1", 0)) as stale:
        port = stale.getsockname()[1]
        project.tests(f"""
            from client import command
            def test_it(costguard):
                ready = "http://127.0.0.1:{port}/ready"
                with costguard.server(command(port={port}), ready=ready) as server:
                    costguard.measure(abs, inputs=[1], served_by=server)
        """)
        result = project.measure()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*port {port} is in use*", "*remedy: stop what runs there*"])


def test_a_fixed_port_serves_one_test_after_another(project):
    port = free_port()
    project.tests(f"""
        import pytest
        from client import command, infer
        @pytest.fixture
        def server(costguard):
            ready = "http://127.0.0.1:{port}/ready"
            with costguard.server(command(port={port}), ready=ready) as server:
                yield server
        @pytest.mark.parametrize("size", [1, 2])
        def test_it(costguard, server, size):
            costguard.measure(infer(server), inputs=[b"a" * size], served_by=server)
    """)
    project.measure("--costguard-isolate=suite").assert_outcomes(passed=2)


def interrupted(project, number, *flags):
    """Send a signal to pytest once its server is up; return its exit code and the server's ids."""
    process = subprocess.Popen(
        [*project.command, *flags],
        cwd=project.path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_interrupts,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (project.path / "pids").exists() or not noted(project):
            assert process.poll() is None, "it has ended before its server was up"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, number)
        return process.wait(60), noted(project)[0]
    finally:
        process.kill()
        process.wait()


HANGS = """
    import time
    from client import READY, command, infer, note
    def test_it(costguard):
        with costguard.server(command("--child", "1"), ready=READY) as server:
            note("pids", server)
            costguard.measure(lambda body: time.sleep(600), inputs=[b"a"], served_by=server)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(
    ("number", "flags"),
    [
        (signal.SIGINT, ()),
        (signal.SIGTERM, ()),
        (signal.SIGKILL, ()),
        (signal.SIGINT, ("--costguard",)),
        (signal.SIGTERM, ("--costguard",)),
    ],
)
def test_however_pytest_is_ended_nothing_of_the_server_is_left(project, number, flags):
    project.tests(HANGS)
    code, pids = interrupted(project, number, *flags)
    assert code != 0
    assert not any(map(alive, pids))
