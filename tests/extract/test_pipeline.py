"""Extraction as a whole: correct values, the same bytes however it is split, no silent loss."""

import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extract.batches import split_rows
from zslpipe.extract.pipeline import extract


def pieces_of(count: int, each: int) -> list[tuple[int, range]]:
    return [(i, range(at, min(at + each, count))) for i, at in enumerate(range(0, count, each))]


class Store:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.arrays: dict[int, dict[str, np.ndarray]] = {}
        self.failures: dict = {}

    def __call__(self, piece, arrays, failures):
        self.order.append(piece)
        self.arrays[piece] = {tap: values.copy() for tap, values in arrays.items()}
        self.failures |= failures

    def bytes(self, piece: int) -> bytes:
        return b"".join(self.arrays[piece][tap].tobytes() for tap in sorted(self.arrays[piece]))


def run(backbone, root, ids, pieces, **options):
    store = Store()
    summary = extract(backbone, root, ids, pieces, store, **({"batch_size": 4, "workers": 2} | options))
    return summary, store


def test_rows_are_the_features_of_their_images(backbone, folder, tmp_path):
    ids = folder(10)
    summary, store = run(backbone, tmp_path / "images", ids, pieces_of(10, 6), dtype="float32")
    assert (summary.images, summary.failed, summary.pieces) == (10, 0, 2)
    assert store.order == [0, 1]
    rows = {tap: np.concatenate([store.arrays[0][tap], store.arrays[1][tap]]) for tap in backbone.taps}
    for i, name in enumerate(ids):
        alone = torch.tensor(backbone.transform(Image.open(tmp_path / "images" / name)))[None]
        for tap, values in backbone(alone).items():
            assert rows[tap].dtype == np.float32
            np.testing.assert_allclose(rows[tap][i], values[0].numpy(), rtol=1e-3, atol=1e-4)


def test_float16_is_the_default(backbone, folder, tmp_path):
    _, store = run(backbone, tmp_path / "images", folder(3), pieces_of(3, 3))
    assert {values.dtype for values in store.arrays[0].values()} == {np.dtype("float16")}


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 5}, {}])
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [3, 1], [2]])
def test_a_pieces_bytes_do_not_depend_on_the_run(backbone, folder, tmp_path, options, chosen):
    ids, pieces = folder(22), pieces_of(22, 7)
    _, whole = run(backbone, tmp_path / "images", ids, pieces)
    _, part = run(backbone, tmp_path / "images", ids, [pieces[i] for i in chosen], **options)
    assert part.order == chosen
    assert all(part.bytes(i) == whole.bytes(i) for i in chosen)


def test_a_failed_image_does_not_touch_its_neighbours(backbone, folder, tmp_path):
    ids = folder(8)
    _, whole = run(backbone, tmp_path / "images", ids, pieces_of(8, 8))
    (tmp_path / "images" / ids[3]).write_bytes(b"")
    (tmp_path / "images" / ids[6]).unlink()
    summary, store = run(backbone, tmp_path / "images", ids, pieces_of(8, 8), on_error="skip")
    assert summary.failed == 2
    assert sorted(store.failures) == [3, 6]
    assert store.failures[3].error == f"the image {tmp_path / 'images' / ids[3]} is empty."
    assert "does not exist" in store.failures[6].error
    for tap, values in store.arrays[0].items():
        assert np.isnan(values[[3, 6]]).all()
        others = [0, 1, 2, 4, 5, 7]
        np.testing.assert_array_equal(values[others], whole.arrays[0][tap][others])


def test_an_unreadable_image_stops_by_default_and_is_named(backbone, folder, tmp_path):
    ids = folder(12)
    (tmp_path / "images" / ids[9]).write_bytes(b"text")
    store = Store()
    with pytest.raises(InputError, match=r"009\.jpg is not an image.*--on-error skip"):
        extract(backbone, tmp_path / "images", ids, pieces_of(12, 4), store, batch_size=4, workers=2)
    assert store.order == [0, 1], "earlier pieces are kept"


def test_a_store_that_fails_ends_the_run(backbone, folder, tmp_path):
    def full(piece, arrays, failures):
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        extract(backbone, tmp_path / "images", folder(24), pieces_of(24, 4), full, batch_size=4)
    assert not [t for t in threading.enumerate() if t.name.startswith(("decode", "write"))]


class Scaled:
    """A backbone whose features are multiplied, like those of a network with huge activations."""

    def __init__(self, backbone, factor):
        self.inner, self.factor = backbone, factor

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __call__(self, images):
        return {tap: values * self.factor for tap, values in self.inner(images).items()}


def test_values_beyond_float16_are_reported(backbone, folder, tmp_path):
    ids = folder(3)
    wild = Scaled(backbone, 1e9)
    with pytest.raises(ZslpipeError, match=r"000\.jpg.*too large for float16.*--dtype float32"):
        run(wild, tmp_path / "images", ids, pieces_of(3, 3))
    _, store = run(wild, tmp_path / "images", ids, pieces_of(3, 3), dtype="float32")
    assert np.isfinite(store.arrays[0]["global"]).all()


def test_features_that_are_not_finite_are_reported(backbone, folder, tmp_path):
    with pytest.raises(ZslpipeError, match=r"000\.jpg.*not finite"):
        run(Scaled(backbone, float("nan")), tmp_path / "images", folder(2), pieces_of(2, 2))


def test_few_pieces_are_in_memory_at_a_time(backbone, folder, tmp_path):
    alive: weakref.WeakSet = weakref.WeakSet()
    most = 0

    def write(piece, arrays, failures):
        nonlocal most
        alive.add(arrays["region"].base if arrays["region"].base is not None else arrays["region"])
        most = max(most, len(alive))

    extract(backbone, tmp_path / "images", folder(40), pieces_of(40, 2), write, batch_size=2)
    assert 0 < most <= 4


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"on_error": "ignore"}, "skip"),
        ({"dtype": "int8"}, "float16"),
        ({"batch_size": 0}, "batch_size must be >= 1"),
        ({"workers": 0}, "workers must be >= 1"),
    ],
)
def test_invalid_options_are_named(backbone, tmp_path, options, word):
    with pytest.raises(InputError, match=word):
        run(backbone, tmp_path, [], [], **options)


def test_a_missing_folder_is_named(backbone, tmp_path):
    with pytest.raises(InputError, match="none does not exist"):
        run(backbone, tmp_path / "none", ["a.jpg"], pieces_of(1, 1))


@given(start=st.integers(0, 1000), count=st.integers(1, 300), batch_size=st.integers(1, 100))
def test_batches_cover_their_piece_evenly(start, count, batch_size):
    parts = split_rows(range(start, start + count), batch_size)
    assert [row for part in parts for row in part] == list(range(start, start + count))
    assert len(parts) == -(-count // batch_size)
    assert max(map(len, parts)) <= batch_size
    assert max(map(len, parts)) - min(map(len, parts)) <= len(parts)
