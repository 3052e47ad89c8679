"""What becomes of requests to a server that answers, and to one that does not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import warnings

import pytest
import trustme
from fakes.model_server import serving

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.http_exchange import Exchange, NoAnswer, Request, require_success

ECHO = Request(body=b"hello", headers={"Content-Type": "text/plain", "X-Own": "1"})


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def secured(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(context=context) as running:
        yield running


def exchange(url, **options):
    return Exchange(url, **{"timeout_seconds": 5.0, **options})


def sent(url, request=ECHO, **options):
    return exchange(url, **options).send(request)


def refused(url, **options):
    with pytest.raises(NoAnswer) as caught:
        require_success(sent(url, **options), origin="the server")
    return str(caught.value)


def test_a_request_arrives_as_it_is_and_the_answer_comes_back_whole(server):
    reply = sent(server.url("/echo?a=1"))
    (seen,) = server.state.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/echo?a=1", b"hello")
    assert seen.headers["x-own"] == "1"
    assert (reply.status, reply.body, reply.headers.get("content-type")) == (
        200,
        b"hello",
        "text/plain",
    )


def test_one_request_after_another_goes_over_the_same_connection(server):
    one = exchange(server.url("/echo"))
    for _ in range(5):
        one.send(ECHO)
    assert (len(server.state.seen), server.state.connections) == (5, 1)


def test_threads_that_come_later_take_over_the_connections(server):
    one = exchange(server.url("/echo"))
    for _ in range(3):
        thread = threading.Thread(target=one.send, args=(ECHO,))
        thread.start()
        thread.join()
    assert server.state.connections == 1


def test_a_connection_that_the_server_has_closed_meanwhile_is_opened_anew(server):
    one = exchange(server.url("/closing"))
    assert [one.send(ECHO).status for _ in range(3)] == [200, 200, 200]
    assert server.state.connections == 3


def test_no_proxy_of_the_environment_is_in_between(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert sent(server.url("/echo")).status == 200


def test_an_address_without_a_path_is_the_root(server):
    assert exchange(server.url("")).path == "/"


def test_a_server_that_does_not_run_is_told_with_its_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v2"
        said = refused(url)
    assert said.startswith(url.removesuffix("/v2") + ": no connection: ")
    assert "Connection refused" in said
    assert "start the server first" in said


def test_a_name_that_nobody_knows_is_told(monkeypatch):
    def unknown(*_args, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    said = refused("http://reranker.invalid/")
    assert "the host's name is not known: Failed to resolve 'reranker.invalid'" in said
    assert "misspelling" in said


def test_an_answer_that_does_not_come_in_time_is_told(server):
    said = refused(server.url("/slow"), timeout_seconds=0.05)
    assert "no answer in time: Read timed out" in said
    assert "timeout=" in said


@pytest.fixture(
    params=[b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"],
    ids=["headers", "body"],
)
def trickling(request):
    """The port of a server that begins an answer and goes on with a byte every few ms."""
    over = threading.Event()

    def serve():
        client, _ = listening.accept()
        with client, contextlib.suppress(OSError):
            client.recv(65536)
            client.sendall(request.param)
            while not over.wait(0.002):
                client.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        over.set()
        thread.join()


def test_an_answer_that_trickles_is_given_up_when_its_time_is_over(trickling):
    said = refused(f"http://127.0.0.1:{trickling}/", timeout_seconds=0.2)

    assert "no answer in time" in said


@pytest.mark.parametrize("length", ["-5", "9" * 23, "many"])
def test_an_answer_of_a_length_that_is_none_is_not_whole(length):
    def serve():
        client, _ = listening.accept()
        with client, contextlib.suppress(OSError):
            seen = b""
            while ECHO.body not in seen:  # what is left unread resets the connection
                seen += client.recv(65536)
            client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{{}}".encode())

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        said = refused(f"http://127.0.0.1:{listening.getsockname()[1]}/")
        thread.join()
    assert "Content-Length" in said or "cannot be read" in said


@pytest.mark.parametrize("path", ["/dropped", "/half"])
def test_a_connection_that_breaks_is_told(server, path):
    assert "the connection broke before the answer was complete" in refused(server.url(path))


def test_a_request_is_sent_once_whatever_becomes_of_it(server):
    for path in ("/dropped", "/half", "/busy", "/redirected"):
        refused(server.url(path))
    assert [seen.path for seen in server.state.seen] == [
        "/dropped",
        "/half",
        "/busy",
        "/redirected",
    ]


def test_what_a_server_says_with_an_error_is_told_with_what_to_do(server):
    said = refused(server.url("/busy"))
    assert "answered 503: no worker is free" in said
    assert "wait until the server is ready" in said


def test_a_path_that_is_not_there_is_told(server):
    said = refused(server.url("/v2/models/triple/infer"))
    assert "answered 404" in said
    assert "check the path" in said


def test_a_redirect_is_told_and_not_followed(server):
    said = refused(server.url("/redirected"))
    assert "answered 302: it redirects to /elsewhere" in said
    assert "second request" in said


def test_a_certificate_that_nobody_trusts_is_told(secured):
    said = refused(secured.url("/echo"))
    assert "no secure connection: [SSL: CERTIFICATE_VERIFY_FAILED]" in said
    assert "verify=" in said


def test_a_named_authority_is_trusted(secured, authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    assert sent(secured.url("/echo"), verify=str(tmp_path / "ca.pem")).status == 200


def test_an_unchecked_certificate_is_taken_without_a_warning_at_each_request(secured):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert sent(secured.url("/echo"), verify=False).status == 200
    assert told == []


def test_a_server_that_speaks_no_tls_is_told(server):
    said = refused(server.url("/echo").replace("http://", "https://"))
    assert "no secure connection" in said
    assert "http:// where the server speaks no TLS" in said


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_is_refused(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"ca\.pem' holds no certificates"):
        exchange("https://127.0.0.1/", verify=str(path))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8080/v2",
        "ftp://host/",
        "http://",
        "http://host:port/",
        "http://a b/",
        "http://[::1/x",
        "http:",
    ],
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ConfigError, match=r"not an address(.|\n)*http://host:port/path"):
        exchange(url)


def test_an_address_of_other_letters_is_refused_with_how_they_are_written():
    with pytest.raises(ConfigError, match=r"characters that addresses do not have(.|\n)*Punycode"):
        exchange("http://ü.invalid/")


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host/v2",
        "http://secret@host",
        "https://me:secret@host:1/?q=1",
        "http://me:secret@host:port/",
        "http://me:sec/ret@host/secret",
        "http://me:sec ret@host/secret",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError) as caught:
        exchange(url)
    assert "ret" not in str(caught.value).replace("return", "")


def test_an_address_in_the_path_holds_no_password(server):
    assert sent(server.url("/echo?to=me@host")).status == 200


def test_without_urllib3_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(WorkloadError, match=r"needs urllib3(.|\n)*pytest-costguard\[http\]"):
        exchange("http://127.0.0.1/")


def test_without_urllib3_a_wrong_address_is_told_first(monkeypatch):
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(ConfigError, match="not an address"):
        exchange("http://")


def test_the_sixth_version_of_the_internet_protocol_will_do():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no loopback of IPv6")
        port = probe.getsockname()[1]
    assert f"http://[::1]:{port}: no connection" in refused(f"http://[::1]:{port}/")
