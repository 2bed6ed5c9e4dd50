"""Reads the real files; the expected counts are those published with the Proposed Split (Xian et al., 2019)."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.folder import read_folder
from zslpipe.data.known import FOLDERS, describe_missing_images
from zslpipe.data.known_classes import KnownClasses
from zslpipe.data.load import load_benchmark
from zslpipe.data.make_class_table import make_class_table
from zslpipe.data.matlab import read_array
from zslpipe.data.overview import check_dataset, list_datasets
from zslpipe.data.semantics import load_semantics
from zslpipe.data.splits import validation_splits
from zslpipe.errors import InputError

pytestmark = pytest.mark.real

#          images, A, seen, train, val, unseen, trainval, test seen, test unseen
COUNTS = {
    "cub": (11788, 312, 150, 100, 50, 50, 7057, 1764, 2967),
    "sun": (14340, 102, 645, 580, 65, 72, 10320, 2580, 1440),
    "awa2": (37322, 85, 40, 27, 13, 10, 23527, 5882, 7913),
    "awa1": (30475, 85, 40, 27, 13, 10, 19832, 4958, 5685),
    "apy": (15339, 64, 20, 15, 5, 12, 5932, 1483, 7924),
    "flo": (8189, 1024, 82, 62, 20, 20, 5631, 1403, 1155),
}


def counts(b: Benchmark) -> tuple[int, ...]:
    split = b.class_splits[0]
    classes = (len(b.seen_classes), len(split.train), len(split.val), len(b.unseen_classes))
    images = (len(b.trainval), len(b.test_seen), len(b.test_unseen))
    return (len(b.image_ids), b.semantics.shape[1], *classes, *images)


@pytest.mark.parametrize("name", ["cub", "flo"])
def test_the_published_counts(name: str, data_root: Path) -> None:
    b = load_benchmark(name, data_root)
    assert counts(b) == COUNTS[name]
    for split in validation_splits(b):
        assert {*split.train, *split.val} == set(b.seen_classes.tolist())
    assert len(b.class_splits) == (1 if name == "flo" else 3)
    found = check_dataset(name, data_root, images=50)
    assert found["problems"] == []


@pytest.mark.parametrize("name", ["sun", "awa1", "awa2", "apy"])
def test_the_published_counts_if_only_the_splits_are_available(name: str, data_root: Path, tmp_path: Path) -> None:
    """Labels are invented to fit the splits and class lists; everything else is read from the real files."""
    real = data_root / "xlsa17" / "data" / FOLDERS[name]
    if any(f.name != "att_splits.mat" for f in real.glob("*.mat")):
        assert counts(load_benchmark(name, data_root)) == COUNTS[name]
        return
    with pytest.raises(InputError, match=r"has no file with labels and image_files; put res101\.mat"):
        load_benchmark(name, data_root)

    folder = tmp_path / "xlsa17" / "data" / FOLDERS[name]
    folder.mkdir(parents=True)
    for file in real.iterdir():
        (folder / file.name).symlink_to(file)
    (tmp_path / "attributes").symlink_to(data_root / "attributes")
    mat = scipy.io.loadmat(folder / "att_splits.mat")
    names = [str(n[0]) for n in mat["allclasses_names"].ravel()]
    unseen = [names.index(n) for n in (folder / "testclasses.txt").read_text().split()]
    seen = [names.index(n) for n in (folder / "trainvalclasses.txt").read_text().split()]
    labels = np.zeros(COUNTS[name][0], np.int64)
    for loc, classes in (("trainval_loc", seen), ("test_seen_loc", seen), ("test_unseen_loc", unseen)):
        rows = mat[loc].ravel().astype(np.int64) - 1
        labels[rows] = np.resize(classes, len(rows)) + 1
    files = np.array([f"/x/images/{i}.jpg" for i in range(len(labels))] + [None], object)[:-1, None]
    scipy.io.savemat(folder / "res101.mat", {"labels": labels[:, None].astype(np.int16), "image_files": files})
    b = load_benchmark(name, tmp_path)
    assert counts(b) == COUNTS[name]
    assert len(b.class_splits) == 3
    if name != "apy":
        assert b.attribute_vectors is not None
        assert b.attribute_vectors.shape == (COUNTS[name][1], 300)
        assert not b.attribute_names[0].startswith("attribute")
    if name.startswith("awa"):
        assert load_semantics(b, "original_att", tmp_path).semantics.min() == -1  # not normalized


def test_flowers_have_numbered_names_and_the_first_twenty_are_unseen(data_root: Path) -> None:
    b = load_benchmark("flo", data_root)
    assert b.class_names[:2] == ("class 1", "class 2")
    assert b.unseen_classes.tolist() == list(range(20))
    assert b.image_root == data_root / "images" / "FLO" / "jpg"
    assert describe_missing_images(b, data_root) is None


def test_classes_and_features_of_cub_match(data_root: Path) -> None:
    """Closed-form ESZSL reaches a T1 of about 56 %, but 4 % if classes are matched by number instead of name."""
    b = load_benchmark("cub", data_root)
    assert all(i.split("/")[0] == b.class_names[c] for i, c in zip(b.image_ids, b.labels))
    features = read_array(data_root / "xlsa17" / "data" / "CUB" / "resnet1000.mat", "features").T.astype(np.float64)
    x, s, u = features[b.trainval], b.semantics[b.seen_classes], b.semantics[b.unseen_classes]
    y = np.where(b.labels[b.trainval, None] == b.seen_classes, 1.0, 0.0)
    left = np.linalg.solve(x.T @ x + 1e2 * np.eye(x.shape[1]), x.T @ y @ s)
    v = np.linalg.solve(s.T @ s + np.eye(s.shape[1]), left.T).T
    guess = b.unseen_classes[(features[b.test_unseen] @ v @ u.T).argmax(1)]
    right = guess == b.labels[b.test_unseen]
    t1 = np.mean([right[b.labels[b.test_unseen] == c].mean() for c in b.unseen_classes])
    assert t1 > 0.5


def test_sentences_of_cub(data_root: Path) -> None:
    b = load_benchmark("cub", data_root)
    assert load_semantics(b, "sentences", data_root).semantics.shape == (200, 1024)
    assert load_semantics(b, "original_att", data_root).semantics.max() == 100


def test_fifty_birds_become_a_folder_dataset(data_root: Path, tmp_path: Path) -> None:
    images = data_root / "images" / "CUB50"
    cub = load_benchmark("cub", data_root)
    written = make_class_table(KnownClasses.of(cub), images, tmp_path)
    assert any(n.startswith("images not in the split of cub, skipped: 2") for n in written.notes)
    b = read_folder(images, tmp_path)
    assert (len(b.seen_classes), len(b.unseen_classes), len(b.image_ids)) == (40, 10, 2889)
    assert len(b.class_splits) == 3
    assert b.attribute_names == cub.attribute_names
    rows = {i: n for n, i in enumerate(cub.image_ids)}
    for part in ("trainval", "test_seen", "test_unseen"):
        assert {rows[b.image_ids[i]] for i in getattr(b, part)} <= set(getattr(cub, part).tolist())
    for c, name in enumerate(b.class_names):
        assert np.array_equal(b.semantics[c], cub.semantics[cub.class_names.index(name)])


def test_the_list(data_root: Path) -> None:
    rows = {row["name"]: row for row in list_datasets(data_root)}
    assert rows["flo"]["images_present"] == 8189
    assert rows["cub"]["found"]
