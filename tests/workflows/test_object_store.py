"""The commands on a store under a URL: extract to it, train from it, evaluate, verify and repair it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.store.s3_server import Server
from zslpipe.cli import main
from zslpipe.store.bucket import Bucket
from zslpipe.store.remote import RemoteStore

pytest.importorskip("obstore")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.slow


@pytest.fixture
def places(sun_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a folder for stores; commands find data and cache by themselves."""
    server = Server(tmp_path)
    names = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}
    for key, value in {**names, "ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    monkeypatch.setenv("ZSLPIPE_DATA", str(sun_root))
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    server.make_bucket("features")
    yield "s3://features/stores"
    server.kill()


def program(*line: str) -> Result:
    return CliRunner().invoke(main, line)


def test_a_store_under_a_url_is_used_like_a_local_one(places: str, tmp_path: Path) -> None:
    extract = ["extract", "--backbone", "resnet18", "--dataset", "sun", "--weights", "random", "--image-size", "32"]
    extract += ["--batch-size", "8", "--taps", "global", "--device", "cpu", "--to", places, "--json"]
    done = program(*extract)
    assert done.exit_code == 0, done.output
    url = json.loads(done.stdout)["store"]
    assert url.startswith(f"{places}/SUN-resnet18-") or url.startswith(f"{places}/sun-resnet18-")
    shutil.rmtree(tmp_path / "cache" / "mirrors")
    assert json.loads(program(*extract).stdout)["reused"] == 60
    run = program("train-head", "eszsl", "--store", url)
    assert run.exit_code == 0, run.output
    shutil.rmtree(tmp_path / "cache" / "mirrors")  # another machine, to which the run was brought
    refused = program("eval")
    assert refused.exit_code == 2
    assert f"zslpipe cache info {url}" in refused.stderr
    assert program("cache", "info", url).exit_code == 0
    evaluated = program("eval", "--gzsl", "--calibrate", "--json")
    assert evaluated.exit_code == 0, evaluated.output
    bucket = Bucket(url)
    (chunk, *_) = (name for name in bucket.sizes() if "/c.1." in name)
    bucket.replace(chunk, b"damaged")
    verified = program("cache", "verify", url)
    assert verified.exit_code == 1
    assert "has 7 bytes instead of" in verified.output
    repaired = program("cache", "repair", url, "--json")
    assert repaired.exit_code == 0, repaired.output
    assert json.loads(repaired.stdout)["damaged"] == 1
    assert program("cache", "verify", url).exit_code == 0
    assert RemoteStore.at(url, tmp_path / "elsewhere").complete


@pytest.mark.parametrize("line", [["extract", "--dataset", "sun", "--to", "features/stores"]])
def test_what_is_no_url_is_refused(line: list[str], places: str) -> None:
    done = program(*line)
    assert done.exit_code == 2
    assert "is not the URL of a folder in an object store" in done.stderr
