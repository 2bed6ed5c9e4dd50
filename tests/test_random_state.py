import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import torch

from zslpipe.backbones import create_model
from zslpipe.random_state import own_random_state
from zslpipe.training import OwnRandom


def test_the_callers_state_is_put_back() -> None:
    before = torch.get_rng_state()
    with own_random_state():
        torch.manual_seed(3)
        torch.rand(4)
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_take_turns() -> None:
    both_inside = threading.Barrier(2)

    def draw(seed: int) -> torch.Tensor:
        with OwnRandom(seed).active():
            with suppress(threading.BrokenBarrierError):
                both_inside.wait(timeout=0.2)
            return torch.rand(100)

    with ThreadPoolExecutor(2) as pool:
        together = [*pool.map(draw, (1, 2))]
    assert [t.tolist() for t in together] == [draw(1).tolist(), draw(2).tolist()]


def test_a_backbone_made_in_another_thread_does_not_change_the_draws() -> None:
    def draw() -> list[float]:
        with OwnRandom(1).active():
            return [float(torch.rand(())) for _ in range(20_000)]

    alone = draw()
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(create_model, "resnet18", "random")
        assert draw() == alone
        other.result()
