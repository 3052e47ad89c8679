"""Which cloud machine this is: first a look without the network, then that cloud's own service.

Where the firmware names no cloud, nothing is asked. A service that is slow, odd or hostile gives
"not known", never an error and never a guess.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pytest_costguard.host.proc import read_text

Provider = Literal["aws", "gcp", "azure"]
_T = TypeVar("_T")

LIMIT_SECONDS = 1.0
"""For the whole conversation: the service is on the machine's own host and answers in 10 ms."""

_AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
_LARGEST_ANSWER = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What an instance type or a region may look like: it goes into reports and look-ups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectedMachine:
    """A cloud machine that has said what it is; `how` tells in words who said so."""

    provider: Provider
    instance: str
    region: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the three metadata services answer."""

    aws: str = "http://169.254.169.254"
    gcp: str = "http://metadata.google.internal"
    azure: str = "http://169.254.169.254"


DEFAULTS = Endpoints()


class _NotKnown(Exception):
    """The service did not give a sound answer."""


def hinted_provider(root: Path = Path("/")) -> Provider | None:
    """Return the cloud that the firmware's tables name, or None. No network."""
    folder = root / "sys/class/dmi/id"
    vendor, product, tag = (
        (read_text(folder / name) or "").strip()
        for name in ("sys_vendor", "product_name", "chassis_asset_tag")
    )
    if tag == _AZURE_TAG:
        return "azure"
    if vendor == "Amazon EC2":
        return "aws"
    if vendor == "Google" and product.startswith("Google"):
        return "gcp"
    return None


def detect(
    *,
    root: Path = Path("/"),
    endpoints: Endpoints = DEFAULTS,
    limit_seconds: float = LIMIT_SECONDS,
) -> DetectedMachine | None:
    """Return which cloud machine this is, or None where that is not known.

    Args:
        root: where `sys` is.
        endpoints: where the services are.
        limit_seconds: for the whole conversation; a service that dribbles is left alone then.
    """
    provider = hinted_provider(root)
    if provider is None:
        return None
    told = _within(
        limit_seconds,
        lambda: _converse(provider, endpoints=endpoints, limit_seconds=limit_seconds),
    )
    if told is None:
        return None
    instance, region = told
    if not (_NAME.fullmatch(instance) and _NAME.fullmatch(region)):
        return None
    return DetectedMachine(
        provider=provider,
        instance=instance,
        region=region,
        how="firmware tables and the instance metadata service",
    )


def _within(seconds: float, work: Callable[[], _T | None]) -> _T | None:
    """Return what `work` returns, or None if it takes longer.

    A timeout of the HTTP client holds for each read, so that a byte a second keeps it for ever;
    only a thread that can be left behind holds for the whole.
    """
    answers: list[_T | None] = []
    thread = threading.Thread(
        target=lambda: answers.append(work()), name="costguard-cloud", daemon=True
    )
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else None


def _converse(
    provider: Provider, *, endpoints: Endpoints, limit_seconds: float
) -> tuple[str, str] | None:
    """Return instance type and region as the service gives them, or None."""
    asked = {"aws": _ask_aws, "gcp": _ask_gcp, "azure": _ask_azure}[provider]
    try:
        return asked(_Service(getattr(endpoints, provider), limit_seconds))
    except (OSError, http.client.HTTPException, _NotKnown, ValueError, RecursionError):
        return None


class _Service:
    """One metadata service: short answers with status 200 only, no redirect followed.

    By the standard library's own client, which heeds no proxy: that would answer for the machine
    it runs on.
    """

    def __init__(self, address: str, limit_seconds: float) -> None:
        self._netloc = urlsplit(address).netloc
        self._limit_seconds = limit_seconds

    def ask(self, path: str, headers: Mapping[str, str], *, method: str = "GET") -> str:
        """Return the body of an answer.

        Raises:
            _NotKnown: for another status, or a body that is too long or not text.
            OSError, http.client.HTTPException: where the exchange fails.
        """
        connection = http.client.HTTPConnection(self._netloc, timeout=self._limit_seconds)
        with contextlib.closing(connection):
            connection.request(method, path, headers=dict(headers))
            response = connection.getresponse()
            if response.status != 200:
                raise _NotKnown(f"status {response.status}")
            if "Metadata-Flavor" in headers and response.headers.get("Metadata-Flavor") != "Google":
                raise _NotKnown("the answer does not come from Google's service")
            body = response.read(_LARGEST_ANSWER + 1)
            if len(body) > _LARGEST_ANSWER:
                raise _NotKnown("the answer is too long")
        return body.decode("utf-8").strip()


def _ask_aws(service: _Service) -> tuple[str, str]:
    """IMDSv2: a token first, then the questions."""
    token = service.ask(
        "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, method="PUT"
    )
    if not (token.isascii() and token.isprintable()):
        raise _NotKnown("the token is not fit for a header")
    headers = {"X-aws-ec2-metadata-token": token}
    return (
        service.ask("/latest/meta-data/instance-type", headers),
        service.ask("/latest/meta-data/placement/region", headers),
    )


def _ask_gcp(service: _Service) -> tuple[str, str]:
    """Both come as paths: `projects/1/machineTypes/n1-standard-4`, `…/zones/us-east1-b`."""
    headers = {"Metadata-Flavor": "Google"}
    machine = service.ask("/computeMetadata/v1/instance/machine-type", headers)
    zone = service.ask("/computeMetadata/v1/instance/zone", headers)
    region, dash, _ = zone.rpartition("/")[2].rpartition("-")
    if not dash:
        raise _NotKnown("a zone has a region before its last hyphen")
    return machine.rpartition("/")[2], region


def _ask_azure(service: _Service) -> tuple[str, str]:
    document = json.loads(
        service.ask("/metadata/instance?api-version=2021-02-01", {"Metadata": "true"})
    )
    compute = document.get("compute") if isinstance(document, dict) else None
    if not isinstance(compute, dict):
        raise _NotKnown("the answer has no compute section")
    size, location = compute.get("vmSize"), compute.get("location")
    if not (isinstance(size, str) and isinstance(location, str)):
        raise _NotKnown("the answer has no size or location")
    return size, location
