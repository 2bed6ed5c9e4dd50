"""A server in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.painted import make_place


@dataclass(frozen=True)
class Served:
    """A running server."""

    address: str
    place: Path
    process: "subprocess.Popen[str]"

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        """Status, headers and content."""
        return self._ask(Request(self.address + path.lstrip("/")))

    def post(self, path: str, body: bytes, kind: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON."""
        request = Request(self.address + path.lstrip("/"), body, {"content-type": kind, **headers})
        status, _, content = self._ask(request)
        return status, json.loads(content)

    def describe(self, **new: Any) -> tuple[int, Any]:
        return self.post("/api/describe", json.dumps(new).encode(), "application/json")

    def predict(self, image: bytes, **fields: str) -> tuple[int, Any]:
        parts = [
            f'--B\r\ncontent-disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
        ]
        head = b'--B\r\ncontent-disposition: form-data; name="image"; filename="/etc/passwd"\r\n\r\n'
        body = b"".join([*parts, head, image, b"\r\n--B--\r\n"])
        return self.post("/api/predict", body, "multipart/form-data; boundary=B")

    @staticmethod
    def _ask(request: Request) -> tuple[int, dict[str, str], str]:
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except HTTPError as refused:
            with refused:
                return refused.code, dict(refused.headers), refused.read().decode()


@contextmanager
def serving(place: Path, *options: str) -> Iterator[Served]:
    for module in ("fastapi", "fastapi_offline", "uvicorn", "python_multipart"):
        pytest.importorskip(module, reason="the extra 'serve' is not installed")
    command = [sys.executable, "-m", "zslpipe", "serve", "--port", "0", "--cache", str(place / "cache"), *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("serving  http://127.0.0.1:"), line
        yield Served(line.split()[1], place, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        process.stdout.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A head with attention over regions."""
    head = ("attention-net", "--set", "epochs=2", "--set", "branch=global")
    place = make_place(tmp_path_factory.mktemp("served"), head, "global,region")
    with serving(place, "--rate", "0", "--max-mb", "1") as server:
        yield server
