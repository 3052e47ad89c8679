from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pytest_costguard.host.cloud import DetectedMachine, Endpoints, detect, hinted_provider

AWS = {"sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}
GCP = {
    "sys/class/dmi/id/sys_vendor": "Google\n",
    "sys/class/dmi/id/product_name": "Google Compute Engine\n",
}
AZURE = {
    "sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n",
    "sys/class/dmi/id/chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77\n",
}
LONG = 20.0
"""Seconds; so that a busy machine is not taken for a slow service."""
HOW = "firmware tables and the instance metadata service"
AZURE_DOCUMENT = json.dumps({"compute": {"vmSize": "Standard_D2s_v5", "location": "westeurope"}})

Answer = Callable[[BaseHTTPRequestHandler], None]


class Quiet(ThreadingHTTPServer):
    block_on_close = False

    def handle_error(self, request, client_address) -> None:
        """A client that hung up on a hostile answer is what is tested."""


@contextmanager
def metadata_service(answer: Answer) -> Iterator[tuple[Endpoints, list[str]]]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            answer(self)

        do_PUT = do_GET

        def log_message(self, *args: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield Endpoints(aws=address, gcp=address, azure=address), asked
        finally:
            server.shutdown()
            thread.join()


def reply(request: BaseHTTPRequestHandler, body: bytes, *, status: int = 200, **headers: str):
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def aws(request: BaseHTTPRequestHandler) -> None:
    if request.command == "PUT" and request.headers["X-aws-ec2-metadata-token-ttl-seconds"]:
        return reply(request, b"secret")
    if request.headers["X-aws-ec2-metadata-token"] != "secret":
        return reply(request, b"", status=401)
    answers = {
        "/latest/meta-data/instance-type": b"c7i.xlarge",
        "/latest/meta-data/placement/region": b"eu-west-1",
    }
    return reply(request, answers[request.path])


def gcp(request: BaseHTTPRequestHandler) -> None:
    assert request.headers["Metadata-Flavor"] == "Google"
    answers = {
        "/computeMetadata/v1/instance/machine-type": b"projects/12/machineTypes/n2-standard-4",
        "/computeMetadata/v1/instance/zone": b"projects/12/zones/us-central1-a",
    }
    reply(request, answers[request.path], Metadata_Flavor="Google")


def azure(request: BaseHTTPRequestHandler) -> None:
    assert request.headers["Metadata"] == "true"
    reply(request, AZURE_DOCUMENT.encode())


def test_aws_is_asked_for_a_token_first(tree):
    with metadata_service(aws) as (endpoints, asked):
        machine = detect(root=tree(AWS), endpoints=endpoints, limit_seconds=LONG)
    assert machine == DetectedMachine(
        provider="aws", instance="c7i.xlarge", region="eu-west-1", how=HOW
    )
    assert asked[0] == "PUT /latest/api/token"


def test_gcp_gives_the_region_of_its_zone(tree):
    with metadata_service(gcp) as (endpoints, _):
        machine = detect(root=tree(GCP), endpoints=endpoints, limit_seconds=LONG)
    assert machine == DetectedMachine(
        provider="gcp", instance="n2-standard-4", region="us-central1", how=HOW
    )


def test_azure_gives_size_and_location(tree):
    with metadata_service(azure) as (endpoints, asked):
        machine = detect(root=tree(AZURE), endpoints=endpoints, limit_seconds=LONG)
    assert machine == DetectedMachine(
        provider="azure", instance="Standard_D2s_v5", region="westeurope", how=HOW
    )
    assert asked == ["GET /metadata/instance?api-version=2021-02-01"]


@pytest.mark.parametrize(
    "firmware",
    [
        {},
        {"sys/class/dmi/id/sys_vendor": "QEMU\n"},
        {"sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n"},
        {"sys/class/dmi/id/sys_vendor": "Google\n", "sys/class/dmi/id/product_name": "Eve\n"},
    ],
)
def test_without_a_hint_of_the_firmware_nothing_is_asked(tree, firmware):
    root = tree(firmware)
    with metadata_service(aws) as (endpoints, asked):
        machine = detect(root=root, endpoints=endpoints)
    assert machine is None
    assert asked == []
    assert hinted_provider(root) is None


def test_a_proxy_of_the_environment_is_not_asked(tree, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with metadata_service(aws) as (endpoints, _):
        assert detect(root=tree(AWS), endpoints=endpoints, limit_seconds=LONG) is not None


def not_found(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"c7i.xlarge", status=404)


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.close()


def not_http(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"\x00\xff garbage\r\n\r\n")


def not_text(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"\xff\xfe\x00", Metadata_Flavor="Google")


def markup(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"<script>alert(1)</script>-a", Metadata_Flavor="Google")


def many_lines(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"first\nsecond-third", Metadata_Flavor="Google")


def nothing(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"", Metadata_Flavor="Google")


def nested(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"[" * 60_000)


def odd_document(request: BaseHTTPRequestHandler) -> None:
    reply(request, b'{"compute": {"vmSize": 5, "location": null}}')


def huge(request: BaseHTTPRequestHandler) -> None:
    reply(request, b"a" * 5_000_000, Metadata_Flavor="Google")


@pytest.mark.parametrize("firmware", [AWS, GCP, AZURE], ids=["aws", "gcp", "azure"])
@pytest.mark.parametrize(
    "answer",
    [
        not_found,
        hang_up,
        not_http,
        not_text,
        markup,
        many_lines,
        nothing,
        nested,
        odd_document,
        huge,
    ],
    ids=lambda answer: answer.__name__,
)
def test_an_answer_that_is_not_sound_is_not_known(tree, firmware, answer):
    with metadata_service(answer) as (endpoints, _):
        assert detect(root=tree(firmware), endpoints=endpoints, limit_seconds=LONG) is None


def test_a_service_that_does_not_say_it_is_googles_is_not_believed(tree):
    def impostor(request: BaseHTTPRequestHandler) -> None:
        reply(request, b"projects/1/zones/us-central1-a")

    with metadata_service(impostor) as (endpoints, _):
        assert detect(root=tree(GCP), endpoints=endpoints, limit_seconds=LONG) is None


def test_a_redirect_elsewhere_is_not_followed(tree):
    with metadata_service(azure) as (elsewhere, asked_elsewhere):

        def redirect(request: BaseHTTPRequestHandler) -> None:
            reply(request, b"", status=302, Location=elsewhere.azure + request.path)

        with metadata_service(redirect) as (endpoints, _):
            assert detect(root=tree(AZURE), endpoints=endpoints, limit_seconds=LONG) is None
    assert asked_elsewhere == []


def test_an_endless_answer_is_not_read_to_the_end(tree):
    sent: list[int] = []
    hung_up = threading.Event()

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range(1000):
                sent.append(request.wfile.write(b"a" * 65_536))
        except OSError:
            hung_up.set()

    with metadata_service(endless) as (endpoints, _):
        assert detect(root=tree(AWS), endpoints=endpoints, limit_seconds=LONG) is None
        assert hung_up.wait(LONG)
    assert len(sent) < 1000


def test_a_service_that_dribbles_for_ever_is_left_alone(tree):
    stop = threading.Event()

    def dribble(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not stop.is_set():
            request.wfile.write(b"a")
            time.sleep(0.02)

    with metadata_service(dribble) as (endpoints, _):
        try:
            assert detect(root=tree(AWS), endpoints=endpoints, limit_seconds=0.2) is None
        finally:
            stop.set()
            for thread in threading.enumerate():
                if thread.name == "costguard-cloud":
                    thread.join()


def test_a_service_that_is_not_there_is_not_known(tree):
    with metadata_service(aws) as (endpoints, _):
        pass
    assert detect(root=tree(AWS), endpoints=endpoints, limit_seconds=LONG) is None
