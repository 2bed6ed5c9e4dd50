"""A real S3 server process on this machine, which can be killed and started again with what it held."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """moto's server on the loopback interface, made durable: requests are recorded, and replayed before it answers."""

    def __init__(self, folder: Path) -> None:
        self.port, self.log = free_port(), folder / "requests"
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "MOTO_RECORDER_FILEPATH": str(self.log)}
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self.port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        raise TimeoutError("the S3 server does not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def make_bucket(self, name: str) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/{name}", method="PUT"), timeout=60).read()


def serve(port: int) -> None:
    import threading

    from moto.moto_api import recorder
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    app = DomainDispatcherApplication(create_backend_app)
    log = Path(os.environ["MOTO_RECORDER_FILEPATH"])
    if log.exists():
        lines = log.read_text().splitlines(keepends=True)
        log.write_text("".join(line for line in lines if line.endswith("\n")))  # the last may be cut off
        inside = free_port()
        replayed = make_server("127.0.0.1", inside, app, threaded=True)
        threading.Thread(target=replayed.serve_forever, daemon=True).start()
        recorder.replay_recording(f"http://127.0.0.1:{inside}")
    recorder.start_recording()
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
