"""One exchange with an HTTP server after another, on connections that stay open, one a thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pytest_costguard.errors import ConfigError, WorkloadError

_SHOWN = 300
_MISSING = (
    "an address needs urllib3",
    "install the extra: pip install 'pytest-costguard[http]'",
)


class NoAnswer(WorkloadError):
    """A request was not answered as it should be; under load it is counted, else it is an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, ready made."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """Sends requests to one address. Threads share nothing: each has its own connection.

    Nothing is tried twice and no redirect is followed, since either would be timed as one request.

    Args:
        url: `http://` or `https://`, with path and query.
        timeout_seconds: until a connection stands, and between two pieces of an answer.
        verify: False leaves the server's certificate unchecked; a path names who is trusted.

    Raises:
        ConfigError: the address is none.
        WorkloadError: urllib3 is not installed.
    """

    def __init__(self, url: str, *, timeout_seconds: float, verify: bool | str = True) -> None:
        try:
            import urllib3
        except ImportError as error:
            raise WorkloadError(_MISSING[0], remedy=_MISSING[1]) from error
        self._urllib3 = urllib3
        self._address = _checked(url)
        self._timeout = urllib3.Timeout(connect=timeout_seconds, read=timeout_seconds)
        self._verify = verify
        self._local = threading.local()
        self.path = self._address.path or "/"
        if self._address.query:
            self.path += f"?{self._address.query}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self._address.scheme}://{self._address.netloc}"

    def send(self, request: Request, *, path: str | None = None) -> Reply:
        """Send a request and return the whole answer, whatever its status.

        Raises:
            NoAnswer: there was no connection, or it broke, or the answer came too late.
        """
        answer = self.open(request, path=path, whole=True)
        return Reply(status=answer.status, headers=answer.headers, body=answer.data)

    def open(self, request: Request, *, path: str | None = None, whole: bool = False) -> Any:
        """Send a request and return urllib3's response; not `whole`: its body is still to be read.

        Raises:
            NoAnswer: there was no connection, or it broke, or the answer came too late.
        """
        try:
            return self._pool().urlopen(
                request.method,
                path or self.path,
                body=request.body or None,
                headers=dict(request.headers),
                retries=False,
                redirect=False,
                timeout=self._timeout,
                preload_content=whole,
            )
        except self._urllib3.exceptions.HTTPError as error:
            raise self.failure(error) from error

    def failure(self, error: Exception) -> NoAnswer:
        """Say what became of a request that urllib3 could not finish, and what to do about it."""
        names = [kind.__name__ for kind in type(error).__mro__]
        words = str(error).partition(": ")[2] or str(error)
        for name, what, remedy in _FAILURES:
            if name in names:
                return NoAnswer(f"{self.origin}: {what}: {words[:_SHOWN]}", remedy=remedy)
        return NoAnswer(f"{self.origin}: {words[:_SHOWN]}", remedy=_FAILURES[-1][2])

    def _pool(self) -> Any:
        pool = getattr(self._local, "pool", None)
        if pool is None:
            pool = self._local.pool = self._new_pool()
        return pool

    def _new_pool(self) -> Any:
        host, port = self._address.hostname, self._address.port
        assert host is not None, "a checked address has a host"
        if self._address.scheme == "http":
            return self._urllib3.HTTPConnectionPool(host, port, maxsize=1)
        trusted = {"ca_certs": self._verify} if isinstance(self._verify, str) else {}
        required = "CERT_REQUIRED" if self._verify else "CERT_NONE"
        return self._urllib3.HTTPSConnectionPool(
            host, port, maxsize=1, cert_reqs=required, **trusted
        )


_FAILURES = (
    ("NameResolutionError", "the host's name is not known", "check the address for a misspelling"),
    (
        "NewConnectionError",
        "no connection",
        "start the server first (costguard.server(command=…, ready=…)), and check the port",
    ),
    (
        "SSLError",
        "no secure connection",
        "give verify= the path of the certificate authority, or verify=False to trust it blindly",
    ),
    ("ConnectTimeoutError", "no connection in time", "check address and firewall"),
    ("ReadTimeoutError", "no answer in time", "give timeout= as long as a request may take"),
    (
        "ProtocolError",
        "the connection broke before the answer was complete",
        "see what the server's log says of this request",
    ),
    ("HTTPError", "no answer", "see what the server's log says of this request"),
)
"""What urllib3's exceptions mean, the most special first."""


def require_success(reply: Reply, *, origin: str) -> None:
    """Raise `NoAnswer` for any status but 200 to 299, with the beginning of what was said."""
    if 200 <= reply.status < 300:
        return
    if 300 <= reply.status < 400:
        to = reply.headers.get("location", "another address")
        raise NoAnswer(
            f"{origin} answered {reply.status}: it redirects to {to}",
            remedy="give the address that answers itself: a redirect is a second request",
        )
    words = reply.body[:_SHOWN].decode("utf-8", errors="replace").strip()
    raise NoAnswer(
        f"{origin} answered {reply.status}" + (f": {words}" if words else ""),
        remedy="send one of the inputs by hand, and see what the server wants otherwise",
    )


def _checked(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        sound = address.scheme in ("http", "https") and bool(address.hostname)
        _ = address.port
    except ValueError:
        sound = False
    if not sound or any(character.isspace() for character in url):
        raise ConfigError(
            f"{url[:_SHOWN]!r} is not an address",
            remedy="write http://host:port/path, for example"
            " http://127.0.0.1:8080/v2/models/reranker/infer",
        )
    if address.username or address.password:
        raise ConfigError(
            "the address holds a name or a password, which would stand in every report",
            remedy='give headers={"Authorization": os.environ["…"]} instead',
        )
    return address
