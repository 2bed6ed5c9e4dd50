"""What a request may be: its size, how long it may take to arrive, how often it may come, and from which pages."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

READING = ("GET", "HEAD", "OPTIONS")
REMEMBERED = 4096  # addresses whose rate is known
CLOSE = (b"connection", b"close")
MOST_DISCARDED = 4  # times the size of a request that is allowed
LINGER = 2.0  # seconds for which the rest of a refused request is read and thrown away
SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
POLICY = (
    "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Swagger's page has a script and styles in it. It shows the schema, which no request can change.
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "script-src 'self'", "script-src 'self' 'unsafe-inline'"
)


@dataclass(frozen=True)
class Limits:
    """What the server accepts.

    Attributes:
        body: bytes of a request.
        seconds: in which a request must arrive.
        rate: requests per second from one address, on average; 0 for no limit.
        burst: requests at once from one address.
        at_once: pictures in work or arriving; their bodies are in memory.
        hosts: names by which the server may be called; None for any.
    """

    body: int = 15 << 20
    seconds: float = 30.0
    rate: float = 10.0
    burst: int = 20
    at_once: int = 32
    hosts: frozenset[str] | None = None


class Refused(HTTPException):
    """A request that is answered with a status and a sentence; the rest of it is thrown away."""

    def __init__(self, status: int, sentence: str, retry: int | None = None) -> None:
        again = {} if retry is None else {"retry-after": str(retry)}
        super().__init__(status, sentence, {"connection": "close", **again})


@dataclass
class Rates:
    """A token bucket for each of the last addresses."""

    rate: float
    burst: int
    now: Callable[[], float] = time.monotonic
    buckets: "OrderedDict[str, tuple[float, float]]" = field(default_factory=OrderedDict)

    def wait(self, address: str) -> float:
        """Seconds after which this address may come again; 0 if it may now, which is counted."""
        now = self.now()
        tokens, last = self.buckets.pop(address, (float(self.burst), now))
        tokens = min(self.burst, tokens + (now - last) * self.rate)
        allowed = tokens >= 1
        self.buckets[address] = (tokens - 1 if allowed else tokens, now)
        while len(self.buckets) > REMEMBERED:
            self.buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self.rate


class Guard:
    """Checks every request before the application sees it, and adds security headers to every answer."""

    def __init__(self, app: App, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.rates = Rates(limits.rate, limits.burst) if limits.rate else None
        self.inside = 0  # requests with a body that are in work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the start and the end of the server; there are no websockets
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        arrived = False  # the whole request, or all that will ever come

        async def tracked() -> MutableMapping[str, Any]:
            nonlocal arrived
            message = await receive()
            arrived = not message.get("more_body", False)
            return message

        async def answer(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                if not arrived and CLOSE in message.get("headers", ()):
                    await _discard(tracked, MOST_DISCARDED * self.limits.body)
                message["headers"] = [*message.get("headers", ()), *_headers(scope["path"])]
            await send(message)

        try:
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            self._check(scope, headers)
            limited = self._limited(tracked, headers)
        except Refused as refused:
            await refusal(refused)(scope, tracked, answer)
            return
        counted = int(scope["method"] not in READING)
        self.inside += counted
        try:
            await self.app(scope, limited, answer)
        finally:
            self.inside -= counted

    def _check(self, scope: Scope, headers: dict[bytes, str]) -> None:
        host = headers.get(b"host", "")
        if self.limits.hosts is not None and _name(host) not in self.limits.hosts:
            raise Refused(421, "this server does not go by that name: use its address, or start it with --allow-host.")
        if scope["method"] in READING:
            return
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "requests from pages of other sites are not answered.")
        if self.rates is not None and (wait := self.rates.wait((scope.get("client") or ("",))[0])):
            raise Refused(429, "too many requests: wait a moment.", max(1, round(wait)))
        if self.inside >= self.limits.at_once:
            raise busy()

    def _limited(self, receive: Receive, headers: dict[bytes, str]) -> Receive:
        """`receive` with limits on what it returns until the body is complete."""
        too_large = Refused(413, f"the request is larger than {self.limits.body >> 20} MiB: send a smaller picture.")
        length = headers.get(b"content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > self.limits.body:
            raise too_large
        end, total, complete = time.monotonic() + self.limits.seconds, 0, False

        async def limited() -> MutableMapping[str, Any]:
            nonlocal total, complete
            if complete:
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
            except TimeoutError:
                raise Refused(408, f"the request did not arrive within {self.limits.seconds:g} seconds.") from None
            total += len(message.get("body", b""))
            if total > self.limits.body:
                raise too_large
            complete = not message.get("more_body", False)
            return message

        return limited


async def _discard(receive: Receive, most: int) -> None:
    """Read the rest of a refused request: closing over unread data resets the connection, and the answer is lost."""
    end = time.monotonic() + LINGER
    while most > 0:
        try:
            message = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
        except TimeoutError:
            return
        if not message.get("more_body", False):
            return
        most -= len(message.get("body", b""))


def _name(host: str) -> str:
    """A Host header without its port."""
    return host.rsplit(":", 1)[0].lower() if not host.endswith("]") else host.lower()


def _headers(path: str) -> list[tuple[bytes, bytes]]:
    policy = DOCS_POLICY if path.startswith("/docs") else POLICY
    return [(k.encode(), v.encode()) for k, v in {**SAFE, "content-security-policy": policy}.items()]


def busy() -> Refused:
    return Refused(503, "the server is busy: try again in a moment.", 1)


def refusal(refused: HTTPException) -> JSONResponse:
    """The answer to a request that is refused."""
    return JSONResponse({"error": str(refused.detail)}, refused.status_code, headers=refused.headers)
