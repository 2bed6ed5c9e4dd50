"""push and pull through huggingface_hub itself, against a small hub on this machine."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

import zslpipe
from tests.painted import make_place

SHA = "a" * 40


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's HTTP interface that uploads and downloads need; one repository, one commit."""

    files: ClassVar[dict[str, bytes]] = {}
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/api/repos/create":
            self.answer({"url": f"http://{self.headers['host']}/jane/paint"})
        elif self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            asked = json.loads(body)["files"]
            self.answer({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            url = f"http://{self.headers['host']}/jane/paint/commit/{SHA}"
            self.answer({"success": True, "commitUrl": url, "commitOid": SHA, "commitMessage": "", "hookOutput": ""})
        else:
            self.answer({}, status=404)

    def do_GET(self, body: bool = True) -> None:
        path = self.path.split("?")[0]
        if found := re.fullmatch(r"/jane/paint/resolve/\w+/(.+)", path):
            content = self.files[found[1]]
            headers = {"etag": f'"{hashlib.sha256(content).hexdigest()}"', "x-repo-commit": SHA}
            self.answer(content, headers, body=body)
        elif "/tree/" in path:
            self.answer([self.entry(name, content) for name, content in self.files.items()])
        elif path.startswith("/api/models/jane/paint"):
            self.answer({"id": "jane/paint", "sha": SHA, "siblings": [{"rfilename": name} for name in self.files]})
        else:
            self.answer({"error": "Repository not found"}, {"x-error-code": "RepoNotFound"}, 404)

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    @staticmethod
    def entry(name: str, content: bytes) -> dict[str, Any]:
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": blob}

    def answer(self, value: Any, headers: dict[str, str] | None = None, status: int = 200, body: bool = True) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, text)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def endpoint() -> Iterator[str]:
    Hub.files.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(endpoint: str, home: Path, *line: str) -> "subprocess.CompletedProcess[str]":
    """A command in a process of its own, since the library reads its environment when it is imported."""
    own = {"HF_ENDPOINT": endpoint, "HF_TOKEN": "hf_test", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment = {**os.environ, **own, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, "-m", "zslpipe", *line], capture_output=True, text=True, env=environment, timeout=300
    )


@pytest.mark.slow
def test_there_and_back(endpoint: str, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    place = make_place(tmp_path / "mine")
    (mine,) = (place / "cache" / "runs").glob("paint-*")
    done = run(endpoint, tmp_path / "home", "push", str(mine), "jane/paint", "--cache", str(place / "cache"))
    assert done.returncode == 0, done.stderr
    assert {name.rsplit(".")[-1] for name in Hub.files} == {"json", "safetensors", "md"}
    Hub.files["evil.py"] = b"raise SystemExit"
    done = run(endpoint, tmp_path / "home", "pull", "jane/paint", "--cache", str(tmp_path / "theirs"))
    assert done.returncode == 0, done.stderr
    files = sorted((place / "new").glob("*.png"))
    theirs = zslpipe.load("paint", cache=tmp_path / "theirs").predict(files)
    assert [one.candidates for one in theirs] == [
        one.candidates for one in zslpipe.load(mine, cache=place / "cache").predict(files)
    ]
    done = run(endpoint, tmp_path / "home", "pull", "jane/nothing", "--cache", str(tmp_path / "theirs"))
    assert done.returncode == 1
    assert "check the name" in done.stderr
    assert "Traceback" not in done.stderr
    done = run("http://127.0.0.1:9", tmp_path / "home", "pull", "jane/paint", "--cache", str(tmp_path / "other"))
    assert done.returncode == 1, "a hub that is away is no empty run"
