"""Images in .tar shards are a dataset like images in folders: the same features, rows, classes and messages."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.data.folder import read_folder
from zslpipe.errors import InputError
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.workspace import Workspace

CLASSES = ("zebra", "okapi", "horse", "panda")


def jpeg(seed: int) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), np.uint8)
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


IMAGES = {f"{name}/{i:04d}.jpg": jpeg(10 * c + i) for c, name in enumerate(CLASSES) for i in range(6)}


def write_shards(folder: Path, samples: list[dict[str, bytes]], each: int = 10) -> None:
    for start in range(0, len(samples), each):
        with tarfile.open(folder / f"{start // each:06d}.tar", "w") as shard:
            for sample in samples[start : start + each]:
                for name, content in sample.items():
                    about = tarfile.TarInfo(name)
                    about.size = len(content)
                    shard.addfile(about, io.BytesIO(content))


@pytest.fixture
def described(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        lines = ["class,split,stripes,size", "zebra,seen,1,3", "okapi,seen,1,2", "horse,seen,0,3", "panda,unseen,0,2"]
        (folder / "classes.csv").write_text("\n".join(lines))
        return folder

    return make


def in_class_folders(folder: Path) -> None:
    write_shards(folder, [{name: content} for name, content in IMAGES.items()])


def with_class_files(folder: Path) -> None:
    """Flat, as webdataset writes them; the class by number or by name."""
    samples = []
    for row, (name, content) in enumerate(IMAGES.items()):
        said = name.partition("/")[0] if row % 2 else str(row // 6)
        samples.append({f"{row:06d}.jpg": content, f"{row:06d}.cls": said.encode(), f"{row:06d}.json": b"{}"})
    write_shards(folder, samples)


@pytest.mark.parametrize("fill", [in_class_folders, with_class_files])
def test_rows_have_names_and_classes(described: Callable[[str], Path], fill: Callable[[Path], None]) -> None:
    fill(described("shards"))
    benchmark = read_folder(described("other").with_name("shards"))
    assert len(benchmark.image_ids) == len(IMAGES)
    assert [benchmark.class_names[c] for c in benchmark.labels] == [name.partition("/")[0] for name in IMAGES]
    assert not [note for note in benchmark.notes if "skipped" in note]
    if fill is in_class_folders:
        assert benchmark.image_ids[10] == f"000001.tar/{list(IMAGES)[10]}"


def test_features_are_those_of_the_unpacked_images(described: Callable[[str], Path], tmp_path: Path) -> None:
    packed, plain = described("packed"), described("plain")
    ordered = {name: IMAGES[name] for name in sorted(IMAGES)}
    write_shards(packed, [{name: content} for name, content in ordered.items()])
    for name, content in ordered.items():
        (plain / name).parent.mkdir(exist_ok=True)
        (plain / name).write_bytes(content)
    workspace = Workspace(tmp_path, tmp_path / "cache")
    asked = {"backbone": "resnet18", "weights": "random", "taps": ("global",), "image_size": 32, "batch_size": 8}
    one, other = (extract_store(workspace, str(folder), **asked) for folder in (packed, plain))
    assert one.computed == len(IMAGES)
    assert [i.partition("/")[2] for i in one.store.benchmark.image_ids] == list(other.store.benchmark.image_ids)
    assert np.array_equal(one.store.rows("global")[:], other.store.rows("global")[:])
    again = extract_store(workspace, str(packed), **asked)
    assert (again.computed, again.reused) == (0, len(IMAGES))


def test_an_unreadable_member_is_named(described: Callable[[str], Path], tmp_path: Path) -> None:
    folder = described("shards")
    broken = {**IMAGES, "zebra/0003.jpg": b"no image", "okapi/0001.jpg": b""}
    write_shards(folder, [{name: content} for name, content in broken.items()])
    asked = {"backbone": "resnet18", "weights": "random", "taps": ("global",), "image_size": 32}
    with pytest.raises(InputError, match=r"000000\.tar/zebra/0003\.jpg is not an image"):
        extract_store(Workspace(tmp_path, tmp_path / "cache"), str(folder), **asked)
    done = extract_store(Workspace(tmp_path, tmp_path / "cache"), str(folder), **asked, on_error="skip")
    told = [failure.error for failure in done.store.failures.values()]
    assert len(told) == 2
    assert told[1].endswith("0001.jpg is empty.")


def test_a_wrong_class_file_is_named(described: Callable[[str], Path]) -> None:
    folder = described("shards")
    write_shards(folder, [{"0.jpg": IMAGES["zebra/0000.jpg"], "0.cls": b"7"}])
    with pytest.raises(InputError, match=r"000000\.tar/0\.jpg says '7', which is neither a class"):
        read_folder(folder)


def test_an_image_without_a_class_is_named(described: Callable[[str], Path]) -> None:
    folder = described("shards")
    write_shards(folder, [{"0.jpg": IMAGES["zebra/0000.jpg"]}])
    with pytest.raises(InputError, match=r"000000\.tar.*\.cls"):
        read_folder(folder)
