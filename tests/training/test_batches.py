"""Batches: one protocol for rows in memory, streamed rows, and images decoded by workers."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zslpipe.backbones.transform import Transform
from zslpipe.errors import InputError
from zslpipe.store.rows import Subset
from zslpipe.training import Batch, Batches, RowBatches, Shuffled, placed
from zslpipe.training.batches import read_ahead
from zslpipe.training.images import ImageBatches, RandomCrop
from zslpipe.training.placed import Placed

CPU = torch.device("cpu")
LABELS = torch.arange(20) % 5
TRANSFORM = Transform((24, 32), 0.875, "bicubic", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(20)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(params=["memory", "streamed", "images", "workers"])
def batches(request: pytest.FixtureRequest, images: list[Path], monkeypatch: pytest.MonkeyPatch) -> Batches[Batch]:
    sampler = Shuffled(20, 6, seed=1)
    if request.param in ("memory", "streamed"):
        monkeypatch.setattr(placed, "SHARE", 0.4 if request.param == "memory" else 0.0)
        rows = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float16)
        made = RowBatches(Placed({"global": Subset(rows, np.arange(20))}, ("global",), CPU), LABELS, sampler)
        assert made.rows.streamed == (request.param == "streamed")
        return made
    workers = 2 if request.param == "workers" else 0
    return ImageBatches(
        images, LABELS.numpy(), sampler, TRANSFORM, augment=RandomCrop(TRANSFORM), workers=workers, seed=3
    )


def same(one: Batch, other: Batch) -> bool:
    return (
        np.array_equal(one.index, other.index)
        and torch.equal(one.labels, other.labels)
        and all(torch.equal(one.inputs[tap], other.inputs[tap]) for tap in one.inputs)
    )


def test_epochs_repeat_and_differ(batches: Batches[Batch]) -> None:
    once, twice, other = list(batches.epoch(0)), list(batches.epoch(0)), list(batches.epoch(1))
    assert len(once) == len(batches) == 4
    assert all(same(a, b) for a, b in zip(once, twice))
    assert not all(same(a, b) for a, b in zip(once, other))
    assert sorted(np.concatenate([b.index for b in once]).tolist()) == list(range(20))
    for batch in once:
        assert torch.equal(batch.labels, LABELS[batch.index])
        for values in batch.inputs.values():
            assert values.dtype == torch.float32
            assert len(values) == len(batch.index)


def test_they_resume_in_the_middle_of_an_epoch(batches: Batches[Batch]) -> None:
    whole, rest = list(batches.epoch(2)), list(batches.epoch(2, 3))
    assert len(rest) == 1
    assert same(rest[0], whole[3])


def test_the_caller_s_random_state_does_not_matter_and_stays(batches: Batches[Batch]) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    once = list(batches.epoch(0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert all(same(a, b) for a, b in zip(once, batches.epoch(0)))


def test_workers_change_nothing(images: list[Path]) -> None:
    def made(workers: int) -> list[Batch]:
        crop = RandomCrop(TRANSFORM)
        sampler = Shuffled(20, 6, 0)
        return list(ImageBatches(images, LABELS.numpy(), sampler, TRANSFORM, augment=crop, workers=workers).epoch(1))

    assert all(same(a, b) for a, b in zip(made(0), made(2)))


def test_images_are_augmented_anew_in_every_epoch_and_normalised(images: list[Path]) -> None:
    augmented = ImageBatches(
        images, LABELS.numpy(), Shuffled(20, 20, 0), TRANSFORM, augment=RandomCrop(TRANSFORM), workers=0
    )
    plain = ImageBatches(images, LABELS.numpy(), Shuffled(20, 20, 0), TRANSFORM, workers=0)

    def ordered(batches: ImageBatches, epoch: int) -> torch.Tensor:
        (batch,) = batches.epoch(epoch)
        return batch.inputs["image"][np.argsort(batch.index)]

    assert ordered(plain, 0).shape == (20, 3, 24, 32)
    assert torch.equal(ordered(plain, 0), ordered(plain, 1))
    assert not torch.equal(ordered(augmented, 0), ordered(augmented, 1))
    pixels = torch.from_numpy(TRANSFORM(Image.open(images[7]))).double() / 255
    expected = (pixels - torch.tensor(TRANSFORM.mean)) / torch.tensor(TRANSFORM.std)
    torch.testing.assert_close(ordered(plain, 0)[7].double(), expected.permute(2, 0, 1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_is_named(images: list[Path], tmp_path: Path, workers: int) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    batches = ImageBatches([*images[:5], broken], np.zeros(6, int), Shuffled(6, 6, 0), TRANSFORM, workers=workers)
    with pytest.raises(InputError, match=r"the image .*broken\.png .*: replace it"):
        list(batches.epoch(0))


def test_reading_ahead_works_before_it_is_asked_and_keeps_order() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for i in range(6):
            made.append(i)
            yield i

    ahead = read_ahead(numbers(), 2)
    assert next(ahead) == 0
    give_up = time.monotonic() + 10
    while len(made) < 3 and time.monotonic() < give_up:
        time.sleep(0.001)
    assert made == [0, 1, 2], "two are ready, no more"
    assert list(ahead) == [1, 2, 3, 4, 5]


def test_reading_ahead_passes_errors_on() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise InputError("row 7 is missing.")

    made = read_ahead(failing(), 2)
    assert next(made) == 1
    with pytest.raises(InputError, match="row 7"):
        next(made)
