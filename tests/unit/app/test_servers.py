"""A server that a test starts: every way in which it can come up, or not, and how it is told."""

from __future__ import annotations

import os
import signal
import socket
import sys
from http.client import HTTPException

import pytest
from factories.processes import alive
from factories.servers import READY, asked, command, pids_of

from pytest_costguard.app.declared_servers import declared_server
from pytest_costguard.app.instruments import MachineInstruments
from pytest_costguard.app.servers import running
from pytest_costguard.errors import ConfigError, PortInUse, ServerError, WorkloadError
from pytest_costguard.host.ports import Claim, answers, free_port
from pytest_costguard.host.server_watch import SERVER_RESET_METHOD
from pytest_costguard.records import Scenario

MEBIBYTE = 2**20
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def up(*options, ready=READY, told="{port}", program=None, patience_seconds=0.0, **more):
    words = {
        "port": None,
        "env": None,
        "cwd": None,
        "startup_timeout": "60s",
        "stop_timeout": "5s",
    }
    declared = declared_server(
        nodeid="test_it.py::test",
        command=[program, told] if program else command(*options, port=told),
        ready=ready,
        **words | more,
    )
    return running(declared, patience_seconds=patience_seconds)


def refused(*options, kind=ServerError, **more):
    with pytest.raises(kind) as told, up(*options, **more):
        pytest.fail("it did not come up")  # pragma: no cover
    return told.value


def test_it_is_up_inside_and_gone_afterwards():
    with up() as server:
        assert server.url == f"http://127.0.0.1:{server.port}"
        assert asked(server.port, "/infer", b"abcd") == b"4"
        assert server.log.read_text() == f"serving a model on {server.port}\n"
        assert 0 < server.startup_seconds < 60
        assert pids_of(server.port) == [server.pid]
    assert not answers("127.0.0.1", server.port)
    assert not alive(server.pid)
    assert not server.log.parent.exists()


def test_the_start_lasts_until_it_is_ready():
    with up("--late", "0.4") as server:
        assert server.startup_seconds > 0.4


@pytest.mark.parametrize(
    "wrong", [{"env": {"A=B": "x"}}, {"env": {"A": "x\0"}}, {"program": "a\0b"}]
)
def test_words_that_no_process_can_be_given_are_told_with_the_command(wrong):
    with pytest.raises(ServerError, match="could not be started"), up(**wrong):
        pass


def test_several_are_up_at_the_same_time_on_ports_of_their_own():
    with up() as outer:
        with up() as inner:
            assert outer.port != inner.port
            assert asked(inner.port, "/infer", b"a") == b"1"
        assert asked(outer.port, "/infer", b"ab") == b"2"


def test_an_address_is_the_servers_by_its_port():
    with up() as server:
        assert server.serves(f"http://localhost:{server.port}/v2/models/a/infer")
        assert not server.serves("http://127.0.0.1:1/v2/models/a/infer")
        assert not server.serves(f"http://models.example:{server.port}/")


def test_all_of_what_it_must_be_ready_by_is_waited_for():
    asked_for = []

    def loaded():
        asked_for.append(1)
        return len(asked_for) > 2

    with up(ready=[READY, loaded]):
        assert len(asked_for) == 3


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_it_is_stopped_whatever_the_test_raises(error):
    pids = []

    def test():
        with up("--child", "1") as server:
            pids.extend(pids_of(server.port))
            raise error

    with pytest.raises(error):
        test()
    assert len(pids) == 2
    assert not any(map(alive, pids))


def test_one_that_ends_well_before_it_is_ready_is_told_to_stay_in_the_foreground():
    told = refused("--exit", "0")
    assert "ended with exit code 0 before it was ready" in told.message
    assert "serving a model on" in told.message
    assert "foreground" in told.remedy


def test_one_that_crashes_is_quoted():
    told = refused("--crash")
    assert "ended with exit code 1 before it was ready" in told.message
    assert "ValueError: the weights are of another model" in told.message


def test_one_that_never_listens_is_given_up_and_stopped(tmp_path):
    told = refused(
        "--deaf", "--pidfile", str(tmp_path / "pids"), "--stubborn",
        startup_timeout="300ms", stop_timeout="100ms",
    )  # fmt: skip
    assert "was not ready within 0.3 s" in told.message
    assert "startup_timeout=" in told.remedy


def test_one_that_answers_503_is_not_ready():
    told = refused("--status", "503", startup_timeout="1500ms")
    assert "answered 503" in told.message or "refused" in told.message


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(ServerError, match="no-such-program") as told, up(program="no-such-program"):
        pytest.fail("it did not come up")  # pragma: no cover
    assert "sys.executable" in told.value.remedy


def test_one_that_was_left_behind_is_not_measured_in_its_place():
    with socket.create_server(("127.0.0.1", 0)) as stale:
        port = stale.getsockname()[1]
        told = refused(kind=PortInUse, port=port, ready=f"http://127.0.0.1:{port}/ready")
    assert f"port {port} is in use" in told.message
    assert "{port}" in told.remedy


def test_the_port_of_another_server_of_a_test_is_waited_for_and_then_refused():
    port = free_port()
    ready = f"http://127.0.0.1:{port}/ready"
    with up(port=port, ready=ready):
        told = refused(kind=PortInUse, port=port, ready=ready, patience_seconds=0.1)
    assert "another test, or of the other side" in told.message
    with up(port=port, ready=ready) as server:
        assert server.port == port


def test_one_that_finds_a_port_in_use_that_the_test_does_not_name_says_so():
    with socket.create_server(("127.0.0.1", 0)) as stale:
        told = refused(
            kind=PortInUse, told=stale.getsockname()[1], port=free_port(), ready=lambda: False
        )
    assert "Address already in use" in told.message


def kill(server):
    os.kill(server.pid, signal.SIGKILL)
    server._process.ended_within(10)


def test_errors_of_connections_are_the_servers_where_it_has_ended():
    def test():
        with up("--serves", "2") as server, server.answering():
            for _ in range(5):
                asked(server.port, "/infer", b"abc")

    with pytest.raises(ServerError) as told:
        test()
    assert "ended with exit code 41 while it was in use" in told.value.message
    assert "the model has eaten itself" in told.value.message
    assert isinstance(told.value.__cause__, OSError | HTTPException)


def test_errors_of_the_test_stay_its_own_while_the_server_is_up():
    with pytest.raises(ZeroDivisionError), up() as server, server.answering():
        raise ZeroDivisionError


def test_an_error_while_the_server_is_up_quotes_what_it_has_said_last():
    def test():
        with up("--fails") as server, server.answering():
            asked(server.port, "/infer", b"abc")
            raise WorkloadError("it answered 500", remedy="see its log")

    with pytest.raises(WorkloadError) as told:
        test()
    (note,) = told.value.__notes__
    assert "is still up; it said last:" in note
    assert note.endswith("ERROR: the tensor x is missing")


def test_without_its_log_an_error_stays_what_it_is():
    def test():
        with up() as server, server.answering():
            server.log.unlink()
            raise WorkloadError("it answered 500", remedy="see its log")

    with pytest.raises(WorkloadError, match="it answered 500"):
        test()


def test_a_mistake_of_the_test_quotes_nothing():
    with pytest.raises(ConfigError) as told, up() as server, server.answering():
        raise ConfigError("unknown option", remedy="leave it out")

    assert not hasattr(told.value, "__notes__")


def test_answers_of_a_server_that_ends_without_an_error_of_the_test_do_not_count():
    with (
        pytest.raises(ServerError, match="was ended by SIGKILL"),
        up() as server,
        server.answering(),
    ):
        kill(server)


def test_an_error_outside_of_measuring_has_a_note_that_the_server_had_ended():
    def test():
        with up() as server:
            kill(server)
            asked(server.port, "/infer", b"abc")

    with pytest.raises(ConnectionRefusedError) as told:
        test()
    assert any("was ended by SIGKILL" in note for note in told.value.__notes__)


def instruments(server):
    return MachineInstruments(
        threads=1,
        scenario=Scenario(),
        is_async=False,
        device_peak_bytes=lambda: None,
        reset_device_peak=lambda: None,
        server=server,
    )


@linux
def test_memory_and_cpu_time_are_those_of_the_server_and_its_children():
    with up("--child", "60", "--grows", "80", "--busy", "0.3") as server:
        ours = instruments(server)
        ours.begin()
        before = ours.peak()
        with ours.serving():
            asked(server.port, "/infer", b"abc")
        sensors, memory, _ = ours.end()
    assert memory.method == SERVER_RESET_METHOD
    assert memory.peak_bytes - before.peak_bytes > 70 * MEBIBYTE
    assert before.peak_bytes > 60 * MEBIBYTE
    assert sensors.server_cpu_seconds >= 0.25
    assert ours._server_use.serving_cpu_seconds >= 0.25
    assert sensors.server_idle_cpu_seconds < 0.2


@linux
def test_a_server_that_keeps_more_cores_busy_than_are_declared_is_noted():
    with up() as server:
        ours = instruments(server)
        ours._server_use.begin()
        ours._serving_wall_seconds = 1.0
        ours._server_use.serving_cpu_seconds = 1.05
        assert ours._server_notes() == ()
        ours._server_use.serving_cpu_seconds = 1.6
        (told,) = ours._server_notes()
    assert "threads=n" in told


def test_a_block_that_ends_with_the_server_gone_is_an_error():
    def test():
        with up() as server:
            ours = instruments(server)
            ours.begin()
            with ours.serving():
                kill(server)

    with pytest.raises(ServerError):
        test()


@linux
def test_ports_are_kept_by_what_ends_the_server_where_the_test_is_killed():
    port = free_port()
    with up(port=port, ready=f"http://127.0.0.1:{port}/ready"):
        assert Claim.on(port) is None
    claim = Claim.on(port)
    assert claim is not None
    claim.close()
