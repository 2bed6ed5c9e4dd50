"""Requests are limited before the application sees them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'serve' is not installed")

from zslpipe.serving.web.limits import REMEMBERED, Guard, Limits, Rates, Refused


def test_an_address_has_a_burst_and_then_its_rate() -> None:
    clock = [0.0]
    rates = Rates(2.0, 3, now=lambda: clock[0])
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.wait("b") == 0
    clock[0] += 0.5
    assert [rates.wait("a"), rates.wait("a")] == [0, 0.5]
    clock[0] += 100
    assert [rates.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_addresses_take_no_more_memory() -> None:
    rates = Rates(1.0, 1)
    for i in range(REMEMBERED + 10):
        rates.wait(str(i))
    assert len(rates.buckets) == REMEMBERED


def ask(
    limits: Limits, parts: Sequence[bytes] = (b"x",), method: str = "POST", delay: float = 0, **headers: str
) -> int:
    """The status that a request gets; the application reads it and answers 200."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[Any] = []
    left = list(parts)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(delay)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(k.replace("_", "-").encode(), v.encode()) for k, v in {"host": "localhost:1", **headers}.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": raw, "client": ("1.2.3.4", 5)}
    try:
        asyncio.run(Guard(app, limits)(scope, receive, send))
    except Refused as refused:  # in the application, whose handler answers it
        return refused.status_code
    assert (b"x-frame-options", b"DENY") in sent[0]["headers"]
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (200, {}),
        (200, {"parts": [b"12345", b"67890"]}),
        (413, {"parts": [b"12345", b"678901"]}),
        (413, {"content_length": "11"}),
        (413, {"content_length": "-1"}),
        (413, {"content_length": "9" * 5000}),
        (408, {"parts": [b"1", b"2"], "delay": 0.2}),
        (421, {"host": "evil.example"}),
        (421, {"host": ""}),
        (200, {"host": "LOCALHOST:99"}),
        (403, {"origin": "https://evil.example"}),
        (403, {"origin": "null"}),
        (200, {"origin": "http://localhost:1"}),
        (200, {"method": "GET", "origin": "https://evil.example"}),
    ],
)
def test_what_is_refused(status: int, request_: dict[str, Any]) -> None:
    assert ask(Limits(body=10, seconds=0.1, hosts=frozenset({"localhost"})), **request_) == status


def test_no_more_than_so_many_at_once() -> None:
    assert ask(Limits(at_once=0)) == 503
    assert ask(Limits(at_once=0), method="GET") == 200


def test_any_name_on_request() -> None:
    assert ask(Limits(hosts=None), host="birds.example") == 200
