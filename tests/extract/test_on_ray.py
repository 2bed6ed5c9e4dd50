"""Ray actors carry out the plan of one process: the same bytes, also if a node is killed in the middle."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.extract.test_plan import IMAGES, files, photos
from zslpipe.errors import InputError
from zslpipe.plugins import load_plugin
from zslpipe.store.verify import verify
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.workspace import Workspace

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray")
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  (else a busy machine starves them)
os.environ["RAY_memory_monitor_refresh_ms"] = "0"  # noqa: SIM112  (it counts the memory of everybody on the machine)
__all__ = ["photos"]  # a fixture

SLOW = """
import time
from zslpipe.backbones import BACKBONES
from zslpipe.backbones.load import load_timm

@BACKBONES.register("slow18")
def slow18(**options):
    net = load_timm("resnet18", **options)
    call = type(net).__call__
    class Slow(type(net)):
        def __call__(self, images):
            time.sleep(0.3)
            return call(self, images)
    net.__class__ = Slow
    return net
"""
ASKED: dict[str, Any] = {"weights": "random", "image_size": 32, "taps": ("global",), "batch_size": 2, "device": "cpu"}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head node and two others with a CPU each, on this machine."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_killed_node_loses_only_its_pieces_under_way(cluster: Any, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    load_plugin(tmp_path / "slow.py")
    shared, one = (Workspace(tmp_path, tmp_path / name) for name in ("shared", "one"))

    def kill_a_node() -> None:
        while len(list(shared.cache.glob("stores/*/pieces/*.json"))) < 3:
            time.sleep(0.02)
        cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)

    killer = threading.Thread(target=kill_a_node, daemon=True)
    killer.start()
    done = extract_store(shared, str(photos), "slow18", on="ray", actors=2, **ASKED)
    killer.join(60)
    assert not killer.is_alive()
    assert done.store.complete
    assert not verify(done.store.path)
    plain = extract_store(one, str(photos), "slow18", **ASKED)
    assert plain.computed == IMAGES
    assert files(shared.cache) == files(one.cache)
    done.store.forget([1, 4])
    again = extract_store(shared, str(photos), "slow18", on="ray", **ASKED)
    assert again.computed == 8  # only what was missing
    assert files(shared.cache) == files(one.cache)


def test_what_an_actor_refuses_is_told_in_a_sentence(photos: Path, tmp_path: Path) -> None:
    (photos / "class1" / "012.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"012\.png is not an image of a known format.*--on-error skip"):
        extract_store(Workspace(tmp_path, tmp_path / "cache"), str(photos), "resnet18", on="ray", actors=1, **ASKED)
