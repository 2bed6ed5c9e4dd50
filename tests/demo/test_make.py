"""The set on disk is complete, reproducible, reused, and readable like any folder of images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.data.folder import read_folder
from zslpipe.demo import demo_is_complete, make, make_demo
from zslpipe.demo.picture import draw_picture
from zslpipe.errors import InputError
from zslpipe.files import read_json

EACH, SIZE = 3, 48


def small(folder: Path, seed: int = 0, each: int = EACH, size: int = SIZE):  # type: ignore[no-untyped-def]
    return make_demo(folder, seed, each, size)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("demo")
    return folder, small(folder)


@pytest.fixture
def copy(made, tmp_path: Path) -> Path:  # type: ignore[no-untyped-def]
    """A copy of the set that a test may modify."""
    import shutil

    shutil.copytree(made[0], tmp_path / "demo")
    return tmp_path / "demo"


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_benchmark(made) -> None:  # type: ignore[no-untyped-def]
    folder, b = made
    assert b.name == "demo"
    assert b.image_root == folder / "images"
    assert (len(b.class_names), len(b.image_ids)) == (40, 40 * EACH)
    assert (len(b.seen_classes), len(b.unseen_classes)) == (30, 10)
    assert (len(b.trainval), len(b.test_seen), len(b.test_unseen)) == (60, 30, 30)
    assert b.image_ids[0] == f"{b.class_names[0]}/000.jpg"
    assert all(b.class_names[c] == i.split("/")[0] for i, c in zip(b.image_ids, b.labels))
    assert b.attribute_vectors is not None


def test_every_image_exists(made) -> None:  # type: ignore[no-untyped-def]
    folder, b = made
    assert {k.removeprefix("images/") for k in files(folder) if k.startswith("images/")} == set(b.image_ids)
    for image_id in b.image_ids[::17]:
        with Image.open(folder / "images" / image_id) as image:
            image.load()
            assert image.size == (SIZE, SIZE)


def test_an_image_matches_its_name(made) -> None:  # type: ignore[no-untyped-def]
    """Image n of class c is the picture drawn for (seed, c, n), up to JPEG compression."""
    folder, b = made
    for row in (0, 50, 119):
        with Image.open(folder / "images" / b.image_ids[row]) as image:
            kept = np.asarray(image).astype(int)
        drawn = np.asarray(draw_picture(0, int(b.labels[row]), row % EACH, SIZE)).astype(int)
        assert np.abs(kept - drawn).mean() < 8


def test_the_folder_reader_reads_the_same(made) -> None:  # type: ignore[no-untyped-def]
    folder, b = made
    read = read_folder(folder)

    def places(benchmark) -> dict[str, str]:  # type: ignore[no-untyped-def]
        return {
            benchmark.image_ids[i]: part
            for part in ("trainval", "test_seen", "test_unseen")
            for i in getattr(benchmark, part)
        }

    assert places(read) == places(b)
    assert read.attribute_names == b.attribute_names
    np.testing.assert_allclose(read.attribute_vectors, b.attribute_vectors)
    for name in b.class_names:
        ours, theirs = b.semantics[b.class_names.index(name)], read.semantics[read.class_names.index(name)]
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_equal_bytes_with_two_processes(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    folder, _ = made
    assert len(files(folder)) >= make.PARALLEL_FROM  # drawn by two processes if there are two cores
    monkeypatch.setattr(make, "PARALLEL_FROM", 10**6)
    small(tmp_path)
    assert files(tmp_path) == files(folder)


def test_another_seed_gives_other_pictures_and_split(made, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder, b = made
    other = small(tmp_path, seed=1)
    assert other.class_names == b.class_names
    np.testing.assert_array_equal(other.semantics, b.semantics)
    assert not np.array_equal(other.test_seen, b.test_seen)
    assert not set(files(folder / "images").values()) & set(files(tmp_path / "images").values())


def test_a_complete_set_is_reused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert demo_is_complete(copy, 0, EACH, SIZE)
    monkeypatch.setattr(make, "draw_picture", _never)
    before = {p: p.stat().st_mtime_ns for p in copy.rglob("*")}
    small(copy)
    assert {p: p.stat().st_mtime_ns for p in copy.rglob("*")} == before


def test_only_missing_or_truncated_pictures_are_drawn_again(copy: Path, made, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    ids = made[1].image_ids
    (copy / "images" / ids[5]).unlink()
    cut = copy / "images" / ids[70]
    cut.write_bytes(cut.read_bytes()[:-20])
    (copy / "images" / ids[90]).write_bytes(b"")
    assert not demo_is_complete(copy, 0, EACH, SIZE)
    drawn = []
    monkeypatch.setattr(make, "draw_picture", lambda *a: drawn.append(a[1:3]) or draw_picture(*a))
    small(copy)
    assert sorted(drawn) == [(1, 2), (23, 1), (30, 0)]
    assert files(copy) == files(made[0])


def test_an_interrupted_set_is_incomplete_and_resumes(
    tmp_path: Path, made, monkeypatch: pytest.MonkeyPatch  # type: ignore[no-untyped-def]
) -> None:  # fmt: skip
    monkeypatch.setattr(make, "PARALLEL_FROM", 10**6)
    count = iter(range(50))

    def failing(*args: int) -> Image.Image:
        next(count)  # StopIteration at the fifty-first picture
        return draw_picture(*args)

    monkeypatch.setattr(make, "draw_picture", failing)
    with pytest.raises((StopIteration, RuntimeError)):
        small(tmp_path)
    assert len(list(tmp_path.rglob("*.jpg"))) == 50
    assert not list(tmp_path.rglob("*.tmp"))
    assert read_json(tmp_path / make.MARKER)["complete"] is False
    assert not demo_is_complete(tmp_path, 0, EACH, SIZE)
    monkeypatch.setattr(make, "draw_picture", draw_picture)
    small(tmp_path)
    assert files(tmp_path) == files(made[0])


def test_changing_the_number_of_images_keeps_the_first_ones(copy: Path, made) -> None:  # type: ignore[no-untyped-def]
    before = files(copy / "images")
    small(copy, each=EACH + 1)
    more = files(copy / "images")
    assert len(more) == 40 * (EACH + 1)
    assert before.items() <= more.items()
    assert not demo_is_complete(copy, 0, EACH, SIZE)
    small(copy)
    assert files(copy) == files(made[0])


def test_a_set_of_another_size_replaces_the_old_one(copy: Path) -> None:
    small(copy, size=SIZE + 16)
    assert demo_is_complete(copy, 0, EACH, SIZE + 16)
    with Image.open(next(copy.rglob("*.jpg"))) as image:
        assert image.size == (SIZE + 16, SIZE + 16)


def test_a_set_of_another_version_is_incomplete(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "VERSION", make.VERSION + 1)
    assert not demo_is_complete(copy, 0, EACH, SIZE)


def test_other_images_are_never_touched(tmp_path: Path) -> None:
    theirs = tmp_path / "images" / "cats" / "000.jpg"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"mine")
    with pytest.raises(InputError, match="choose another folder"):
        small(tmp_path)
    assert files(tmp_path) == {"images/cats/000.jpg": b"mine"}


@pytest.mark.parametrize("wrong", [{"each": 1}, {"size": 8}, {"seed": -1}])
def test_arguments_out_of_range(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be >="):
        small(tmp_path / "demo", **wrong)
    assert not (tmp_path / "demo").exists()


def _never(*args: int) -> Image.Image:
    raise AssertionError("a picture is drawn again")
