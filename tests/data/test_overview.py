import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from zslpipe.data.overview import broken_image, check_dataset, list_datasets

Make = Callable[..., Path]


def test_the_list_says_what_is_here_and_what_to_put_where(xlsa: Make) -> None:
    rows = {row["name"]: row for row in list_datasets(xlsa())}
    assert rows["cub"]["state"] == "6 classes, 4 attributes, 0 of 30 images are here"
    assert rows["cub"]["images"] == 30
    assert not rows["sun"]["found"]
    assert "put att_splits.mat" in rows["sun"]["state"]
    assert rows["demo"]["found"]
    json.dumps(list(rows.values()))


def test_a_sound_folder(birds: Path) -> None:
    found = check_dataset(str(birds))
    assert found["problems"] == []
    wanted = {"classes": 5, "seen": 4, "unseen": 1, "images": 20, "trainval": 12, "test_seen": 4, "decoded": 20}
    assert {k: found[k] for k in wanted} == wanted
    assert found["folds"] == 1
    json.dumps(found)
    assert check_dataset(str(birds), images=3)["decoded"] == 3


def test_broken_images_are_problems(birds: Path) -> None:
    whole = (birds / "a" / "0.png").read_bytes()
    (birds / "a" / "0.png").write_bytes(whole[:40])
    (birds / "b" / "1.png").write_text("no image")
    problems = check_dataset(str(birds))["problems"]
    assert len(problems) == 2
    assert str(birds / "a" / "0.png") in problems[0]
    assert broken_image(birds / "c" / "0.png") is None


def test_a_photo_cut_short_is_broken(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    assert broken_image(tmp_path / "x.jpg") is None
    whole = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    told = broken_image(tmp_path / "x.jpg")
    assert told is not None
    assert "truncated" in told


def test_what_cannot_be_loaded_is_a_problem(birds: Path, tmp_path: Path) -> None:
    (birds / "classes.csv").write_text("class,split\na,train\n")
    found = check_dataset(str(birds))
    assert len(found["problems"]) == 1
    assert "holds images, but" in found["problems"][0]


def test_traps_are_told(xlsa: Make) -> None:
    att = np.ones((4, 6))
    att[:, 5] = 0
    root = xlsa(att=att)
    (root / "attributes").mkdir()
    np.save(root / "attributes" / "CUB_w2v.npy", np.diag([1.0, 1, 1, 0]))
    found = check_dataset("cub", root)
    told = " ".join(found["information"])
    assert "train_loc holds 3 and val_loc 1 images of test_seen" in told
    assert "1 classes are described by zeros only: 006.Bird_f" in told
    assert "1 descriptions are shared by several classes, that of '001.Bird_a' among them" in told
    assert "1 attributes have a word vector of zeros: attribute 4" in told
    assert "the 30 images of cub are missing: put" in told
    assert found["problems"] == []  # features alone are enough


def test_missing_images_are_a_problem_once_there_are_some(xlsa: Make) -> None:
    root = xlsa()
    (root / "CUB_200_2011" / "images" / "001.Bird_a").mkdir(parents=True)
    (root / "CUB_200_2011" / "images" / "001.Bird_a" / "0.jpg").write_text("no image")
    problems = check_dataset("cub", root)["problems"]
    assert problems[0].startswith("29 of the 30 images of cub are missing")
    assert "is no image that can be read" in problems[1]
