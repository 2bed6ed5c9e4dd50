"""`zslpipe serve`: a run over HTTP."""

import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from zslpipe.errors import InputError
from zslpipe.extras import need
from zslpipe.progress import say
from zslpipe.workflows.predict import predictor_of
from zslpipe.workflows.runs import find_run
from zslpipe.workflows.workspace import Workspace

LIBRARIES = ("fastapi", "fastapi_offline", "uvicorn", "python_multipart")
CONNECTIONS, KEEP_ALIVE, GRACE = 256, 5, 10  # open at a time; seconds that an idle one lives, and that the end waits
LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


def serve_run(
    workspace: Workspace,
    name: str | None,
    *,
    started: Callable[[str], None],
    host: str = "127.0.0.1",
    port: int = 8000,
    allowed_hosts: Sequence[str] = (),
    seed: int | None = None,
    device: str = "auto",
    batch_size: int = 16,
    rate: float = 10.0,
    megabytes: int = 15,
) -> None:
    """Serve a run until the process is interrupted.

    Args:
        workspace: where runs and stores are.
        name: of the run, None for the newest.
        started: is called with the address once requests are answered.
        host, port: to listen on; port 0 takes a free one.
        allowed_hosts: names by which browsers may call the server besides its address.
        seed: which of the run's seeds, None for the first.
        device: where the backbone runs.
        batch_size: images per forward pass, at most.
        rate: requests per second from one address; 0 for no limit.
        megabytes: largest request in MiB.

    Raises:
        InputError: if a library is missing, the run cannot name new images, or the address cannot be used.
    """
    for library in LIBRARIES:
        need(library, "serve", "zslpipe serve")
    import uvicorn

    from zslpipe.serving.web.answers import Answers
    from zslpipe.serving.web.app import make_app
    from zslpipe.serving.web.limits import Limits

    with listening(host, port) as place:
        answers = Answers(*loaded(workspace, name, seed, device))
        limits = Limits(
            body=megabytes << 20,
            rate=rate,
            burst=max(1, round(2 * rate)),
            at_once=max(32, 2 * batch_size),
            hosts=hosts_of(host, allowed_hosts),
        )
        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it logs every malformed request
        config: Any = uvicorn.Config(
            make_app(answers, limits, batch_size),
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
        )
        shown = f"[{host}]" if ":" in host else host
        started(f"http://{shown}:{place.getsockname()[1]}/")
        with suppress(KeyboardInterrupt):  # the usual end, after requests in work were answered
            uvicorn.Server(config).run(sockets=[place])


def loaded(workspace: Workspace, name: str | None, seed: int | None, device: str) -> tuple[Any, Any]:
    """The run, warmed up, and the grid of its regions."""
    predictor = predictor_of(workspace, find_run(workspace.runs, name), seed, device)
    say(f"loading the backbone of {predictor.name}")
    backbone = predictor.images.backbone
    black = np.zeros((1, *backbone.transform.size, 3), np.uint8)
    predictor.rank(["black"], predictor.images.of_pixels(black), 1)
    return predictor, backbone.grids.get("region")


def listening(host: str, port: int) -> socket.socket:
    """A socket that is bound to the address; connections wait until the server takes them.

    Raises:
        InputError: if there is no such address, or it is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        place = socket.socket(family, kind, protocol)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
        place.listen(CONNECTIONS)
    except OSError as problem:
        reason = problem.strerror or problem
        raise InputError(f"cannot listen on {host}, port {port} ({reason}): give another --port or --host.") from None
    return place


def hosts_of(host: str, allowed: Sequence[str]) -> frozenset[str] | None:
    """The names by which the server may be called: its own, or any if it listens on all addresses."""
    if allowed or is_local(host):
        return LOCAL | {host.lower(), *(name.lower() for name in allowed)}
    return None


def is_local(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
