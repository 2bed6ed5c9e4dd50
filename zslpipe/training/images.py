"""Batches for training from images: decoded and augmented by worker processes, ahead of the steps."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zslpipe.backbones.transform import RESAMPLING, Transform
from zslpipe.errors import InputError
from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.random_state import own_random_state
from zslpipe.store.rows import IMAGE, Rows
from zslpipe.training.batches import Batch
from zslpipe.training.placed import Placed
from zslpipe.training.samplers import Sampler


class RandomCrop:
    """A random part of the image, resized and maybe mirrored: the usual augmentation of ImageNet training.

    Args:
        transform: the backbone's own, whose size and interpolation are kept.
        scale: smallest and largest share of the image's area that is kept.
        mirror: probability of a horizontal flip.
    """

    def __init__(self, transform: Transform, scale: tuple[float, float] = (0.3, 1.0), mirror: float = 0.5) -> None:
        from torchvision.transforms import v2

        method = v2.InterpolationMode[RESAMPLING[transform.interpolation].name]
        crop = v2.RandomResizedCrop(transform.size, scale, interpolation=method, antialias=True)
        self.steps = v2.Compose([crop, v2.RandomHorizontalFlip(mirror)])

    def __call__(self, image: Image.Image, seed: int) -> np.ndarray:
        """Pixels (H, W, 3) uint8; equal seeds give equal pixels."""
        with own_random_state():
            torch.manual_seed(seed)
            return np.asarray(self.steps(image))


class ImageRows(Placed):
    """Images as normalised tensors (B, 3, H, W), decoded when they are asked for.

    Args:
        images: (N,) files, or pixels (N, H, W, 3).
        transform: what a backbone's images go through.
        device: where batches go.
    """

    def __init__(self, images: Rows, transform: Transform, device: torch.device) -> None:
        self.images, self.transform, self.device = images, transform, device
        self.taps = {IMAGE: torch.empty(0)}

    @property
    def paths(self) -> list[Path]:
        return [Path(str(one)) for one in self.images[:]]

    @property
    def streamed(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: np.ndarray) -> dict[str, Tensor]:
        several = self.images[index]
        if several.ndim == 1:
            with ThreadPoolExecutor() as pool:
                several = np.array([*pool.map(self._pixels, several)], np.uint8).reshape(-1, *self.transform.size, 3)
        return {IMAGE: normalised(torch.from_numpy(several).to(self.device), self.transform)}

    def _pixels(self, path: str) -> np.ndarray:
        try:
            return self.transform(read_image(Path(str(path))))
        except UnreadableImage as problem:
            raise InputError(f"the image {path} {problem}: replace it or remove it from the list.") from None


def normalised(pixels: Tensor, transform: Transform) -> Tensor:
    """(B, 3, H, W) float32 of pixels (B, H, W, 3) in [0, 255]."""
    mean, std = (torch.tensor(v, device=pixels.device).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
    return torch.addcmul(-mean / std, pixels.permute(0, 3, 1, 2).float(), 1 / (255 * std))


class ImageBatches:
    """Images of training samples, as a sampler draws them.

    An epoch follows from the seed, its number and the sampler alone, with any number of workers.

    Args:
        paths: (N,) image files.
        labels: (N,) int64.
        sampler: which samples form a batch.
        transform: what a backbone's images go through.
        augment: (image, seed) -> (H, W, 3) uint8; None for `transform` itself.
        workers: decoding processes; 0 decodes in this one.
        seed: of the augmentation.
        device: where batches go.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        labels: np.ndarray,
        sampler: Sampler,
        transform: Transform,
        *,
        augment: RandomCrop | None = None,
        workers: int = 2,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.paths, self.sampler, self.transform = list(paths), sampler, transform
        self.augment, self.workers, self.seed, self.device = augment, workers, seed, torch.device(device)
        self.labels = torch.as_tensor(labels, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch.

        Raises:
            InputError: for an image that cannot be read, with its path.
        """
        loader: DataLoader[Any] = DataLoader(
            _Decoded(self, number),
            batch_sampler=[index.tolist() for index in self.sampler.epoch(number, start)],
            num_workers=self.workers,
            collate_fn=list,
            generator=torch.Generator(),  # the loader would draw from torch's global state
            pin_memory=False,
        )
        for items in loader:
            for index, pixels in items:
                if isinstance(pixels, str):
                    raise InputError(f"the image {self.paths[index]} {pixels}: replace it or remove it from the list.")
            index = np.array([i for i, _ in items])
            pixels = torch.from_numpy(np.stack([pixels for _, pixels in items])).to(self.device)
            yield Batch({IMAGE: normalised(pixels, self.transform)}, self._labels(index), index)

    def _labels(self, index: np.ndarray) -> Tensor:
        return self.labels[torch.from_numpy(index)].to(self.device)


class _Decoded(Dataset[tuple[int, np.ndarray | str]]):
    """Image number to its pixels in one epoch, or to why it has none (exceptions of workers lose their class)."""

    def __init__(self, batches: ImageBatches, epoch: int) -> None:
        self.paths, self.transform, self.augment = batches.paths, batches.transform, batches.augment
        self.seed, self.epoch = batches.seed, epoch

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[int, np.ndarray | str]:
        try:
            image = read_image(self.paths[index])
        except UnreadableImage as problem:
            return index, str(problem)
        if self.augment is None:
            return index, self.transform(image)
        seed = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1, np.uint64)[0]
        return index, self.augment(image, int(seed >> np.uint64(1)))
