"""A server as a test declares it: what is understood, and what is refused with its remedy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_costguard.app.declared_servers import declared_server, local_place
from pytest_costguard.errors import ConfigError

READY = "http://127.0.0.1:8080/v2/models/reranker/ready"


def declared(command=("mlserver", "start", "models/"), *, ready=READY, **more):
    words = {
        "port": None,
        "env": None,
        "cwd": None,
        "startup_timeout": "60s",
        "stop_timeout": "10s",
    }
    return declared_server(nodeid="test_it.py::test", command=command, ready=ready, **words | more)


def test_the_port_is_known_from_the_address():
    server = declared()
    assert server.port == 8080
    assert server.on(8080).places() == {8080: "127.0.0.1"}
    assert (server.startup_seconds, server.stop_seconds) == (60.0, 10.0)


def test_a_port_that_is_chosen_is_put_in_its_place_everywhere():
    server = declared(
        ["serve", "--port={port}"],
        ready=["http://localhost:{port}/ready", "http://127.0.0.1:9000/metrics"],
        env={"PORT": "{port}", "WORKERS": 2},
    )
    assert server.port is None
    chosen = server.on(4567)
    assert chosen.command == ("serve", "--port=4567")
    assert chosen.environ == {"PORT": "4567", "WORKERS": "2"}
    assert chosen.addresses == ("http://localhost:4567/ready", "http://127.0.0.1:9000/metrics")
    assert set(chosen.places()) == {4567, 9000}


def test_it_is_enough_to_tell_the_port_by_a_variable():
    assert (
        declared(["serve"], ready="http://127.0.0.1:{port}/", env={"PORT": "{port}"}).port is None
    )


def test_variables_that_are_none_are_refused_with_their_remedy():
    with pytest.raises(
        ConfigError, match=r"server\(env=5\) is not understood.*\n.*OMP_NUM_THREADS"
    ):
        declared(env=5)


def test_a_given_port_is_put_in_its_place_too():
    server = declared(["serve", "{port}"], ready=lambda: True, port=8000)
    assert server.on(server.port).command == ("serve", "8000")


def test_braces_of_other_meanings_stay_as_they_are():
    command = ["serve", '{"port": {port}}', "{model}"]
    assert declared(command).on(80).command == ("serve", '{"port": 80}', "{model}")


@pytest.mark.skipif(sys.platform == "win32", reason="words are split by POSIX rules")
def test_a_text_is_split_as_a_shell_would_and_is_no_shell():
    server = declared("serve --name 'a b' $HOME; ls")
    assert server.command == ("serve", "--name", "a b", "$HOME;", "ls")


def test_paths_are_words_too():
    assert declared([Path("bin/serve"), "x"]).command == (str(Path("bin/serve")), "x")
    assert declared([Path("bin/serve")]).program == "serve"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"command": []}, "names no program"),
        ({"command": ""}, "names no program"),
        ({"command": "serve 'open"}, "is not understood"),
        ({"command": 7}, "is not understood"),
        ({"command": ["serve", 8080]}, "is not understood"),
        ({"ready": "127.0.0.1:8080"}, "is no address"),
        ({"ready": "http://"}, "is no address"),
        ({"ready": 8080}, "is no address"),
        ({"ready": []}, "says nothing"),
        ({"port": 0}, "is no port"),
        ({"port": "8080"}, "is no port"),
        ({"ready": lambda: True}, "on which port"),
        ({"ready": "http://127.0.0.1:{port}/"}, "on which port"),
        ({"ready": "http://models.example/ready"}, "on which port"),
        ({"startup_timeout": "soon"}, "startup_timeout"),
        ({"stop_timeout": 10}, "stop_timeout"),
    ],
)
def test_what_is_not_understood_is_refused_and_names_the_test(given, said):
    with pytest.raises(ConfigError, match=said) as refused:
        declared(given.pop("command", ["serve"]), **given)
    assert "test_it.py::test" in str(refused.value)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("http://127.0.0.1:8080/x", ("127.0.0.1", 8080)),
        ("http://localhost/x", ("localhost", 80)),
        ("HTTPS://LOCALHOST/x", ("localhost", 443)),
        ("http://[::1]:9/x", ("::1", 9)),
        ("http://models.example:8080/x", None),
        ("http://127.0.0.1:99999/x", None),
    ],
)
def test_an_address_of_this_machine_has_a_place_on_it(address, place):
    assert local_place(address) == place
