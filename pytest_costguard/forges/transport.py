"""JSON over HTTP to one origin: the token goes there alone, and patience is bounded.

What is repeated: a request that was refused for being too many (429, and 403 with `retry-after`
or a limit's message), since nothing was done; and one that may be done twice without harm (all
but POST) where the connection or the server broke.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from urllib3.exceptions import LocationParseError

from pytest_costguard.errors import Forbidden, ForgeError, Missing, Uncertain

PAGE = 100
"""Entries of a page; the most that GitHub and GitLab give."""
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 30.0
_TRIES = 5
_PATIENCE_SECONDS = 180.0
"""How long limits and broken servers are waited for in all, each request."""
_MINUTE = 60.0
_FIRST_WAIT_SECONDS = 1.0
_BETWEEN_WRITES_SECONDS = 1.0
_MOST_BYTES = 32 << 20
_MOST_MESSAGE_BYTES = 64 << 10
_MOST_PAGES = 1000
_REDIRECTS = 3
_LIMIT_WORDS = ("rate limit", "abuse detection")

Query = Mapping[str, str | int]


class Transport:
    """Speaks with one API; every failure is a `ForgeError` that names what was asked for."""

    def __init__(
        self,
        base: str,
        *,
        headers: Mapping[str, str],
        session: requests.Session | None = None,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Begin without a connection.

        Args:
            base: of the API, `https://api.github.com`; requests go below it and nowhere else.
            headers: sent with each, the token's among them.
            session: another than requests' own is for tests.
            sleep: waits some seconds.
            now: seconds since 1970, for the moment at which a limit is lifted.
        """
        self._base = base.rstrip("/") + "/"
        parts = _split(self._base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _no_address(base)
        self._session = session or requests.Session()
        self._session.trust_env = True  # proxies; a .netrc must not replace the token
        self._session.auth = _NoNetrc()
        self._headers = dict(headers)
        self._sleep = sleep
        self._now = now
        self._written: float | None = None

    @property
    def address(self) -> str:
        """The API's, without a slash at its end."""
        return self._base.rstrip("/")

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return what is at a path below the API's address."""
        return self._json("GET", path, query=query)

    def pages(
        self, path: str, query: Query | None = None, *, under: str | None = None
    ) -> Iterator[Any]:
        """Return the entries of a list, from all its pages: the first short one is the last.

        Args:
            path: below the API's address.
            query: beside the page.
            under: the key that the list has in the answer; None: the answer is the list.
        """
        for page in range(1, _MOST_PAGES + 1):
            entries = self._json(
                "GET", path, query={**(query or {}), "per_page": PAGE, "page": page}
            )
            if under is not None:
                entries = entries.get(under) if isinstance(entries, dict) else None
            if not isinstance(entries, list):
                raise _unreadable("GET", path)
            yield from entries
            if len(entries) < PAGE:
                return

    def post(self, path: str, content: Mapping[str, Any]) -> Any:
        """Make something; `Uncertain` where it is not known whether it was made."""
        return self._json("POST", path, content=content)

    def patch(self, path: str, content: Mapping[str, Any]) -> Any:
        """Change something."""
        return self._json("PATCH", path, content=content)

    def put(self, path: str, content: Mapping[str, Any]) -> Any:
        """Replace something."""
        return self._json("PUT", path, content=content)

    def delete(self, path: str) -> None:
        """Remove something."""
        self._json("DELETE", path)

    def download(self, path: str, *, most_bytes: int) -> bytes:
        """Return a file that the API may keep elsewhere; the token does not go there.

        Raises:
            ForgeError: it is larger than that, or cannot be had.
        """
        response = self._answer("GET", self._url(path), path=path, follow=False)
        location = response.headers.get("location")
        if not 300 <= response.status_code < 400 or location is None:
            return _read(response, path=path, most_bytes=most_bytes)
        target = _joined(response.url or self._base, location)
        if _split(target).scheme != "https" and not self._same_origin(target):
            raise ForgeError(
                f"GET {path}: the file is kept at an address without https",
                remedy="check the address of the API (GITHUB_API_URL)",
            )
        headers = self._headers if self._same_origin(target) else {}
        stored = self._once("GET", target, headers=headers, path=path)
        if stored.status_code != 200:
            raise _refused("GET", path, stored)
        return _read(stored, path=path, most_bytes=most_bytes)

    def _json(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> Any:
        response = self._answer(method, self._url(path), path=path, query=query, content=content)
        if response.status_code in (403, 429) and self._limited(response):
            raise ForgeError(
                f"{method} {path}: {response.status_code}, too many requests for now",
                remedy="run the job again later",
            )
        if not 200 <= response.status_code < 300:
            raise _refused(method, path, response)
        data = _read(response, path=path, most_bytes=_MOST_BYTES)
        if not data:
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise _unreadable(method, path) from error

    def _answer(
        self,
        method: str,
        url: str,
        *,
        path: str,
        query: Query | None = None,
        content: Mapping[str, Any] | None = None,
        follow: bool = True,
    ) -> requests.Response:
        """Return the first answer that no waiting would change."""
        waited, redirects = 0.0, 0
        for number in range(_TRIES):
            last = number == _TRIES - 1
            self._space(method)
            try:
                response = self._once(
                    method, url, headers=self._headers, path=path, query=query, content=content
                )
            except Uncertain:
                if method == "POST" or last:
                    raise
                wait = _FIRST_WAIT_SECONDS * 2**number
            else:
                asked = self._wait(method, response, number=number)
                moved = response.headers.get("location") if follow else None
                if asked is None and moved and response.status_code in _MOVED[method == "GET"]:
                    url, query, redirects = _joined(url, moved), None, redirects + 1
                    if not self._same_origin(url) or redirects > _REDIRECTS:
                        raise ForgeError(
                            f"{method} {path}: the API sends to another address",
                            remedy="check the address of the API (GITHUB_API_URL, CI_API_V4_URL)",
                        )
                    continue
                if asked is None or last or waited + asked > _PATIENCE_SECONDS:
                    return response
                wait = asked
            waited += wait
            self._sleep(wait)
        return response

    def _once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        path: str,
        query: Query | None = None,
        content: Mapping[str, Any] | None = None,
    ) -> requests.Response:
        try:
            response = self._session.request(
                method,
                url,
                params=query,
                json=content,
                headers=dict(headers),
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
                stream=True,
            )
            return response if response.ok else _shortened(response)
        except (ValueError, LocationParseError) as error:
            # Of requests' own, those for an address or a header that is none: no try mends them.
            raise ForgeError(
                f"{method} {path}: could not be asked for ({type(error).__name__})",
                remedy="check the address of the API (GITHUB_API_URL, CI_API_V4_URL) and the token",
            ) from None
        except requests.RequestException as error:
            # Its text may hold the address with a query; the kind says what matters.
            raise Uncertain(
                f"{method} {path}: no answer ({type(error).__name__})",
                remedy="run the job again; if it stays so, check the network and the API's address",
            ) from None

    def _wait(self, method: str, response: requests.Response, *, number: int) -> float | None:
        """Return after how many seconds to repeat, or None where the answer stands."""
        status = response.status_code
        if status >= 500:
            return None if method == "POST" else _FIRST_WAIT_SECONDS * 2**number
        if status not in (403, 429) or not self._limited(response):
            return None
        headers = response.headers
        if (seconds := _number(headers.get("retry-after"))) is not None:
            return max(seconds, 0.0)
        reset = _number(headers.get("x-ratelimit-reset"))
        if headers.get("x-ratelimit-remaining") == "0" and reset is not None:
            return max(reset - self._now(), 0.0) + 1.0
        return _MINUTE

    def _limited(self, response: requests.Response) -> bool:
        headers = response.headers
        if response.status_code == 429 or headers.get("retry-after"):
            return True
        if headers.get("x-ratelimit-remaining") == "0":
            return True
        return any(word in _message(response).lower() for word in _LIMIT_WORDS)

    def _space(self, method: str) -> None:
        """Leave a second between writes, as GitHub asks for."""
        if method == "GET":
            return
        if self._written is not None:
            self._sleep(max(0.0, self._written + _BETWEEN_WRITES_SECONDS - self._now()))
        self._written = self._now()

    def _url(self, path: str) -> str:
        return _joined(self._base, path.lstrip("/"))

    def _same_origin(self, url: str) -> bool:
        ours, theirs = _split(self._base), _split(url)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)


_MOVED: Mapping[bool, frozenset[int]] = {
    True: frozenset({301, 302, 307, 308}),
    False: frozenset({307, 308}),
}
"""The statuses that are followed, for GET and for others: a renamed repository."""


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # read late, and then an error where it is none
    except ValueError as error:
        raise _no_address(url) from error
    return parts


def _joined(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError as error:
        raise _no_address(url) from error


def _no_address(url: str) -> ForgeError:
    return ForgeError(
        f"{url[:200]!r} is not the address of an API",
        remedy="check the address of the API (GITHUB_API_URL, CI_API_V4_URL)",
    )


class _NoNetrc(requests.auth.AuthBase):
    """Keeps requests from taking a login from a .netrc file."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _read(response: requests.Response, *, path: str, most_bytes: int) -> bytes:
    try:
        data = bytearray()
        for piece in response.iter_content(1 << 16):
            data += piece
            if len(data) > most_bytes:
                raise ForgeError(
                    f"{path}: more than {most_bytes} bytes",
                    remedy="nothing this large is expected there; it was not read",
                )
        return bytes(data)
    except requests.RequestException as error:
        raise Uncertain(
            f"{path}: the answer broke off ({type(error).__name__})",
            remedy="run the job again; if it stays so, check the network",
        ) from None
    finally:
        response.close()


def _shortened(response: requests.Response) -> requests.Response:
    """Read a refusal's body, as far as a message goes: it is looked at more than once."""
    data = bytearray()
    for piece in response.iter_content(1 << 14):
        data += piece
        if len(data) > _MOST_MESSAGE_BYTES:
            data.clear()
            break
    response.close()
    kept = requests.Response()
    kept.status_code, kept.headers, kept.url = response.status_code, response.headers, response.url
    kept.raw = io.BytesIO(bytes(data))
    return kept


def _message(response: requests.Response) -> str:
    """Return what the API says, in one line; the body stays readable."""
    try:
        said = response.json()
    except (ValueError, RecursionError, requests.RequestException):
        return ""
    text = said.get("message") or said.get("error") or "" if isinstance(said, dict) else ""
    return " ".join(str(text).split())[:300]


def _refused(method: str, path: str, response: requests.Response) -> ForgeError:
    status, said = response.status_code, _message(response)
    response.close()
    what = f"{method} {path}: {status}" + (f", {said}" if said else "")
    if status == 401:
        return ForgeError(what, remedy="the token is not valid: give another one")
    if status in (403, 451):
        return Forbidden(
            what,
            remedy="give the job the permission (pull-requests: write for comments, actions: read"
            " for artifacts); a fork's job has none",
        )
    if status in (404, 410):
        return Missing(what, remedy="it is not there, or the token may not see it")
    if status >= 500 and method == "POST":
        return Uncertain(what, remedy="run the job again")
    if status == 429:
        return ForgeError(what, remedy="too many requests: run the job again later")
    return ForgeError(what, remedy="run the job again; if it stays so, look at the forge's status")


def _unreadable(method: str, path: str) -> ForgeError:
    return ForgeError(
        f"{method} {path}: the answer is not what the API would say",
        remedy="check the address of the API (GITHUB_API_URL, CI_API_V4_URL)",
    )


def _number(text: str | None) -> float | None:
    try:
        number = None if text is None else float(text)
    except ValueError:
        return None
    return number if number is not None and math.isfinite(number) else None
