"""Load on `zslpipe serve`: requests at once against the bare forward pass, then a flood of malformed requests.

    python benchmarks/serve_load.py RUN IMAGES --cache cache

Starts a server on a free port of this machine, and stops it. Throughput is measured for 1, 4 and 16 clients, which send
photos as fast as they are answered; before and after each measurement the bare forward pass gets the same photos,
decoded, in batches, in this process. Clients and server share the processor, and other work on the machine distorts
rates; so processor time per image is measured as well, of the server and of the bare pass, and the load average is
told. Numbers of requests and times are bounded.
"""

import argparse
import http.client
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import result_file, write_table

import zslpipe
from zslpipe.extract.decode import read_image

CLIENTS = (1, 4, 16)
MOST_SECONDS = 60.0  # of each measurement
BOUNDARY = "zslpipe-load"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("images", type=Path, help="folder of photos")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--requests", type=int, default=96, help="per number of clients")
    parser.add_argument("--flood", type=int, default=1000, help="malformed requests")
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    files = sorted(options.images.rglob("*.jpg"))
    chosen = random.Random(0).sample(files, min(32, len(files)))
    photos = [file.read_bytes() for file in chosen]
    bare = Bare(options.run, options.cache, chosen, options.batch_size)
    rows: list[dict[str, Any]] = []

    def measured(what: str, requests: int, clients: int) -> None:
        passes = [bare.run()]
        start = processor_seconds(process)
        found = load(port, photos, requests, clients)
        used = (processor_seconds(process) - start) / found["requests"]
        passes.append(bare.run())
        wall, alone = (statistics.mean(column) for column in zip(*passes))
        rows.append(
            {
                "what": what,
                **found,
                "bare_images_per_second": round(1 / wall, 2),
                "cpu_ms": round(1000 * used, 1),
                "bare_cpu_ms": round(1000 * alone, 1),
                "bare_share_of_cpu": round(alone / used, 3),
                "load_average": round(os.getloadavg()[0], 1),
            }
        )
        print(rows[-1], flush=True)

    with server(options.run, options.cache, options.batch_size) as (port, process):
        load(port, photos, 8, 2)  # warm up
        for clients in CLIENTS:
            measured(f"{clients} clients", options.requests, clients)
        answers, seconds = flood(port, options.flood)
        told = " ".join(f"{status}:{count}" for status, count in sorted(answers.items()))
        survived = {
            "what": "malformed flood",
            "requests": answers.total(),
            "seconds": round(seconds, 1),
            "statuses": told,
        }
        print(survived, flush=True)
        measured("4 clients after the flood", options.requests // 2, 4)
    columns = (*rows[0], "seconds", "statuses")
    write_table(result_file("serve_load"), [{key: row.get(key, "") for key in columns} for row in (*rows, survived)])


class Bare:
    """The backbone alone on decoded photos."""

    def __init__(self, run: str, cache: Path, files: Sequence[Path], batch: int) -> None:
        self.images = zslpipe.load(run, cache=cache).images
        pixels = np.stack([self.images.backbone.transform(read_image(file)) for file in files])
        self.parts = [pixels[i : i + batch] for i in range(0, len(pixels), batch)]
        self.run()  # warm up

    def run(self) -> tuple[float, float]:
        """Seconds and processor seconds per image of one pass over the photos."""
        start, used = time.perf_counter(), time.process_time()
        for part in self.parts:
            self.images.of_pixels(part)
        count = sum(map(len, self.parts))
        return (time.perf_counter() - start) / count, (time.process_time() - used) / count


def processor_seconds(process: "subprocess.Popen[str]") -> float:
    """Of the server, all its threads (Linux)."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(run: str, cache: Path, batch: int) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The port and the process of a server that is stopped afterwards."""
    command = [sys.executable, "-m", "zslpipe", "serve", run, "--cache", str(cache), "--port", "0", "--rate", "0"]
    command += ["--batch-size", str(batch)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().split()[1].rstrip("/").rsplit(":", 1)[1]), process
        assert process.poll() is None, "the server has died"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def load(port: int, photos: Sequence[bytes], requests: int, clients: int) -> dict[str, Any]:
    """Throughput and latency of so many requests by so many clients, each with one connection."""
    end = time.perf_counter() + MOST_SECONDS
    took: list[float] = []

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MOST_SECONDS)
        for i in range(number, requests, clients):
            if time.perf_counter() > end:
                break
            start = time.perf_counter()
            status, told = ask(connection, form(photos[i % len(photos)]))
            assert status == 200, told
            took.append(time.perf_counter() - start)
        connection.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    seconds = time.perf_counter() - start
    return {
        "requests": len(took),
        "images_per_second": round(len(took) / seconds, 2),
        "median_ms": round(1000 * statistics.median(took)),
        "p95_ms": round(1000 * statistics.quantiles(took, n=20)[-1]),
    }


def flood(port: int, count: int) -> tuple[Counter[int], float]:
    """Statuses of malformed requests; -1 for a connection that the server closed without one."""
    random_ = random.Random(0)
    bodies = [malformed(random_) for _ in range(count)]
    end = time.perf_counter() + MOST_SECONDS

    def one(request: tuple[str, bytes, dict[str, str]]) -> int | None:
        if time.perf_counter() > end:
            return None
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        path, body, headers = request
        try:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return -1
        finally:
            connection.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(status for status in pool.map(one, bodies) if status is not None)
    return statuses, time.perf_counter() - start


def malformed(random_: random.Random) -> tuple[str, bytes, dict[str, str]]:
    """A request that no picture can be named from."""
    noise = random_.randbytes(random_.randrange(5000))
    header = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    kinds: list[tuple[str, bytes, dict[str, str]]] = [
        ("/api/predict", form(noise), header),
        ("/api/predict", form(b"\x89PNG\r\n\x1a\n" + noise), header),
        ("/api/predict", form(b"\xff\xd8\xff\xe0" + noise), header),
        ("/api/predict", form(noise)[: random_.randrange(1, 200)], header),
        ("/api/predict", noise, header),
        ("/api/predict", noise, {"content-type": "application/json"}),
        ("/api/predict", form(b"GIF89a" + noise, classes="[" * 5000), header),
        ("/api/describe", json.dumps({"name": "x" * 200, "attributes": {"y": 1e308}}).encode(), {}),
        ("/api/describe", noise, {"content-type": "application/json"}),
        (f"/%2e%2e/{random_.randrange(99)}", b"", {}),
    ]
    return random_.choice(kinds)


def form(image: bytes, **fields: str) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n'.encode()
    return b"".join([*parts, head, image, f"\r\n--{BOUNDARY}--\r\n".encode()])


def ask(connection: http.client.HTTPConnection, body: bytes) -> tuple[int, Any]:
    connection.request("POST", "/api/predict", body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


if __name__ == "__main__":
    main()
