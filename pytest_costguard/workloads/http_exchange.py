"""One exchange with an HTTP server after another, on connections that stay open."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytest_costguard.errors import ConfigError, WorkloadError
from pytest_costguard.workloads.addresses import checked_address
from pytest_costguard.workloads.deadlines import with_deadlines
from pytest_costguard.workloads.unended_bodies import UnendedBodies

_SHOWN = 300
_SECONDS = re.compile(r" ?\((?:read|connect) timeout=[^()]*\)")
_OBJECT = re.compile(r"<\w+\(host=[^>]*> ?[,:]? ?|^None: ")
"""A connection as it names itself, with its place in memory: each failure would be another."""
_MOST_CONNECTIONS = 1024
"""That are kept open; so many requests can be under way at the same time."""


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
    """Their names in lower case, or however, where the mapping does not tell them apart."""
    body: bytes


class Exchange:
    """Sends requests to one address, from any number of threads.

    Connections stay open, and a request takes the one that was used last: as many are open as
    requests were ever under way at the same time. Nothing is tried twice and no redirect is
    followed, since either would be timed as one request.

    Args:
        url: `http://` or `https://`, with path and query.
        timeout_seconds: from the beginning until the whole answer is there.
        verify: False leaves the server's certificate unchecked; a path names who is trusted.

    Raises:
        ConfigError: the address is none, or `verify` names no certificates.
        WorkloadError: urllib3 is not installed.
    """

    def __init__(self, url: str, *, timeout_seconds: float, verify: bool | str = True) -> None:
        self._address = checked_address(url, schemes=("http", "https"))
        try:
            import urllib3
        except ImportError as error:
            raise WorkloadError(
                "an address needs urllib3",
                remedy="install the extra: pip install 'pytest-costguard[http]'",
            ) from error
        self._errors = urllib3.exceptions.HTTPError
        self._timeout = urllib3.Timeout(total=timeout_seconds)
        self._pool = _pool(urllib3, self._address, verify=verify)
        self._unended = UnendedBodies()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self._address.scheme}://{self._address.netloc}"

    @property
    def path(self) -> str:
        """Path and query, as they are sent."""
        query = f"?{self._address.query}" if self._address.query else ""
        return (self._address.path or "/") + query

    def send(self, request: Request, *, path: str | None = None) -> Reply:
        """Send a request and return the whole answer, whatever its status.

        Raises:
            NoAnswer: there was no connection, or it broke, or the answer came too late.
        """
        answer = self.open(request, path=path, whole=True)
        length = answer.headers.get("content-length")
        if length is not None and not length.isdecimal():
            answer.close()
            raise NoAnswer(f"{self.origin}: the answer's Content-Length is {length!r}", remedy=_LOG)
        return Reply(status=answer.status, headers=answer.headers, body=answer.data)

    def open(self, request: Request, *, path: str | None = None, whole: bool = False) -> Any:
        """Send a request and return urllib3's response; not `whole`: its body is still to be read.

        Raises:
            NoAnswer: there was no connection, or it broke, or the answer came too late.
        """
        try:
            return self._pool.urlopen(
                request.method,
                path or self.path,
                body=request.body or None,
                headers=request.headers,
                retries=False,
                redirect=False,
                timeout=self._timeout,
                preload_content=whole,
            )
        except self._errors as error:
            raise self.failure(error) from error
        except OverflowError as error:
            raise NoAnswer(
                f"{self.origin}: its answer cannot be read: {error}", remedy=_LOG
            ) from error

    def take_back(self) -> None:
        """Free the connections of bodies that were followed and have ended meanwhile.

        Call it before a request is followed, and before its time begins; it waits for nothing.
        """
        self._unended.take_back()

    @contextmanager
    def following(self, request: Request) -> Iterator[Any]:
        """Send a request and give urllib3's response while its body comes.

        Who has read all that counts need not wait for the end of the body: `take_back` frees the
        connection once that has come, and until then other requests take another one.

        Raises:
            NoAnswer: there was no connection, or it broke, or a piece came too late.
        """
        response = self.open(request)
        complete = False
        try:
            yield response
            complete = True
        except self._errors as error:
            raise self.failure(error) from error
        finally:
            if complete:
                self._unended.keep(response)
            else:
                response.close()
                response.release_conn()

    def failure(self, error: Exception) -> NoAnswer:
        """Say what became of a request that urllib3 could not finish, and what to do about it."""
        names = [kind.__name__ for kind in type(error).__mro__]
        what, remedy = next((said for name, *said in _FAILURES if name in names), _FAILURES[-1][1:])
        return NoAnswer(f"{self.origin}: {what}: {_words(error)}", remedy=remedy)


_LOG = "see what the server's log says of this request"
_FAILURES = (
    ("NameResolutionError", "the host's name is not known", "check the address for a misspelling"),
    (
        "NewConnectionError",
        "no connection",
        "start the server first, wait until it is ready, and check the port",
    ),
    (
        "SSLError",
        "no secure connection",
        (
            "give verify= the path of the certificate authority, verify=False to trust it blindly,"
            " or http:// where the server speaks no TLS"
        ),
    ),
    ("ConnectTimeoutError", "no connection in time", "check address and firewall"),
    ("ReadTimeoutError", "no answer in time", "give timeout= as long as a whole answer may take"),
    (
        "ProtocolError",
        "the connection broke before the answer was complete",
        _LOG,
    ),
    ("HTTPError", "no answer", _LOG),
)
"""What urllib3's exceptions mean, the most special first."""


def require_success(reply: Reply, *, origin: str, remedy: str = "") -> None:
    """Raise `NoAnswer` for any status but 200 to 299, with what was said of it.

    Args:
        reply: what came back.
        origin: who answered.
        remedy: what to do about a status that says little of its cause.
    """
    if 200 <= reply.status < 300:
        return
    if 300 <= reply.status < 400:
        to = reply.headers.get("location", "another address")
        raise NoAnswer(
            f"{origin} answered {reply.status}: it redirects to {to[:_SHOWN]}",
            remedy="give the address that answers itself: a redirect is a second request",
        )
    words = _in_short(reply.body)
    raise NoAnswer(
        f"{origin} answered {reply.status}" + (f": {words}" if words else ""),
        remedy=_REMEDIES.get(reply.status, remedy or _LOG),
    )


def _in_short(body: bytes) -> str:
    """The beginning of what a server said; of a traceback the last line, which tells the cause."""
    lines = body.decode("utf-8", errors="replace").strip().splitlines()
    if lines and lines[0].startswith("Traceback "):
        return lines[-1].strip()[:_SHOWN]
    return " ".join(line.strip() for line in lines)[:_SHOWN]


_REMEDIES = {
    401: 'give headers={"Authorization": …}, and a token that the server knows',
    403: 'give headers={"Authorization": …} of somebody who may do this',
    404: "check the path of the address, and that the server has loaded the model",
    405: "check the path of the address and method=",
    429: "the server limits how often it is asked: lower the rate, or lift its limit",
    503: "wait until the server is ready (/v2/models/NAME/ready), or lower the load",
}


def _words(error: Exception) -> str:
    """The exception's own words, without the connection that urllib3 names in front of them."""
    words = str(error)
    front, found, rest = words.partition(": ")
    names_connection = found and front.endswith((")", ">")) and not front.startswith("(")
    told = _OBJECT.sub("", rest if names_connection else words).strip(", ")
    told = _SECONDS.sub("", told)  # they differ from request to request
    if told.startswith("(") and told.endswith(")"):
        told = told[1:-1].strip(", ")
    return told[:_SHOWN]


def _pool(urllib3: Any, address: Any, *, verify: bool | str) -> Any:
    host, port = address.hostname, address.port
    if address.scheme == "http":
        plain = urllib3.HTTPConnectionPool(host, port, maxsize=_MOST_CONNECTIONS)
        plain.ConnectionCls = with_deadlines(plain.ConnectionCls)
        return plain
    if verify is False:
        # Whoever leaves it unchecked has said so; a warning with each request says no more.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    secure = urllib3.HTTPSConnectionPool(
        host, port, maxsize=_MOST_CONNECTIONS, ssl_context=_trust(verify)
    )
    secure.ConnectionCls = with_deadlines(secure.ConnectionCls)
    return secure


def _trust(verify: bool | str) -> ssl.SSLContext:
    """Made once, since reading the certificates takes longer than many a request."""
    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"verify={verify!r} holds no certificates: {error}",
            remedy="give the path of a PEM file with the certificate authority",
        ) from error
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
