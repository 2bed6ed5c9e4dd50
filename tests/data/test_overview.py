import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from zslpipe.data.overview import check_dataset, image_error, list_datasets

Make = Callable[..., Path]


def test_the_list_says_what_is_found_and_where_to_put_missing_files(xlsa: Make) -> None:
    rows = {row["name"]: row for row in list_datasets(xlsa())}
    assert rows["cub"]["state"] == "6 classes, 4 attributes, 0 of 30 images found"
    assert rows["cub"]["images"] == 30
    assert not rows["sun"]["found"]
    assert "put att_splits.mat" in rows["sun"]["state"]
    assert rows["demo"]["found"]
    json.dumps(list(rows.values()))


def test_a_valid_folder(birds: Path) -> None:
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
    (birds / "b" / "1.png").write_text("not an image")
    problems = check_dataset(str(birds))["problems"]
    assert len(problems) == 2
    assert str(birds / "a" / "0.png") in problems[0]
    assert image_error(birds / "c" / "0.png") is None


def test_a_truncated_jpeg_is_broken(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    assert image_error(tmp_path / "x.jpg") is None
    whole = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    error = image_error(tmp_path / "x.jpg")
    assert error is not None
    assert "truncated" in error


def test_what_cannot_be_loaded_is_a_problem(birds: Path, tmp_path: Path) -> None:
    (birds / "classes.csv").write_text("class,split\na,train\n")
    found = check_dataset(str(birds))
    assert len(found["problems"]) == 1
    assert "no line for these folders of images: 'b', 'c', 'd', 'e'" in found["problems"][0]


def test_surprising_facts_are_reported(xlsa: Make) -> None:
    att = np.ones((4, 6))
    att[:, 5] = 0
    root = xlsa(att=att)
    (root / "attributes").mkdir()
    np.save(root / "attributes" / "CUB_w2v.npy", np.diag([1.0, 1, 1, 0]))
    found = check_dataset("cub", root)
    information = " ".join(found["information"])
    assert "train_loc contains 3 and val_loc 1 images of test_seen" in information
    assert "1 classes have all-zero attributes: 006.Bird_f" in information
    assert "1 attribute vectors are shared by several classes, e.g. '001.Bird_a'" in information
    assert "1 attributes have an all-zero word vector: attribute 4" in information
    assert "the 30 images of cub are missing: put" in information
    assert found["problems"] == []  # features can be imported without images


def test_missing_images_are_a_problem_if_others_are_found(xlsa: Make) -> None:
    root = xlsa()
    (root / "CUB_200_2011" / "images" / "001.Bird_a").mkdir(parents=True)
    (root / "CUB_200_2011" / "images" / "001.Bird_a" / "0.jpg").write_text("not an image")
    problems = check_dataset("cub", root)["problems"]
    assert problems[0].startswith("29 of the 30 images of cub are missing")
    assert "is not a readable image" in problems[1]
