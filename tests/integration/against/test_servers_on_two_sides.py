"""Servers of base and head: beside each other on ports that are chosen, in turns on a fixed one."""

from __future__ import annotations

import pytest
from factories.git_repositories import GitProject, plugin_environ, report_of
from factories.servers import PROGRAM

from pytest_costguard.host.ports import free_port

CONFIGURATION = """
[project]
name = "service"
version = "1"
[tool.pytest.ini_options]
testpaths = ["tests"]
[tool.costguard.regression]
mean = { allow = "20%", catch = "60%" }
peak_memory = { allow = "20%", catch = "60%" }
"""
TESTS = """
import os, sys
from http.client import HTTPConnection

def infer(port):
    def ask(body):
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/infer", body)
        return len(connection.getresponse().read())
    return ask

def served(costguard, port):
    command = [sys.executable, "server.py", str(port), "--busy", "0.002", "--child", CHILD]
    return costguard.server(command, ready=f"http://127.0.0.1:{port}/ready")

def test_chosen(costguard):
    with served(costguard, "{port}") as server:
        costguard.measure(infer(server.port), inputs=[b"a"], served_by=server)

def test_fixed(costguard):
    with served(costguard, int(os.environ["FIXED"])) as server:
        costguard.measure(infer(server.port), inputs=[b"a"], served_by=server)
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    made = GitProject(tmp_path_factory.mktemp("servers") / "project")
    made.commit(
        {
            ".gitignore": "__pycache__\nout\n",
            "pyproject.toml": CONFIGURATION,
            "server.py": PROGRAM.read_text(),
            "tests/test_it.py": TESTS.replace("CHILD", "'10'"),
        }
    )
    made.git("checkout", "-q", "-b", "change")
    made.commit({"tests/test_it.py": TESTS.replace("CHILD", "'90'")})
    code, output = made.measure(environ=plugin_environ(FIXED=str(free_port())))
    return code, output, report_of(made.folder)


def of(report, test):
    (found,) = [one for one in report["verdicts"] if one["workload"]["nodeid"].endswith(test)]
    return found


def test_servers_on_ports_that_are_chosen_are_measured_beside_each_other(compared):
    _, output, report = compared
    how = report["against"]["pairings"]["tests/test_it.py::test_chosen"]
    assert how["kind"] == "alternating", output
    # A request that this machine makes slow would be a reason for another way; a server is none.
    assert how["clock"] == "wall"
    assert how["reason"].endswith("a server does its work")


def test_servers_on_a_fixed_port_are_measured_in_turns_and_the_report_says_why(compared):
    _, output, report = compared
    how = report["against"]["pairings"]["tests/test_it.py::test_fixed"]
    assert how["kind"] == "restart", output
    assert how["reason"].startswith("both sides need the same port: on ")
    assert report["run"].get("failures", []) == [], output


@pytest.mark.parametrize("test", ["test_chosen", "test_fixed"])
def test_the_memory_that_is_compared_is_the_servers_with_its_children(compared, test):
    _, output, report = compared
    verdict = of(report, test)
    (memory,) = [one for one in verdict["comparisons"] if one["metric"] == "peak_memory"]
    assert memory["verdict"] == "regressed", output
    assert memory["ratio"] > 2


def test_what_the_servers_have_loaded_is_not_known_so_nothing_is_said_of_unloaded_code(compared):
    _, _, report = compared
    assert not report["against"].get("unloaded")
