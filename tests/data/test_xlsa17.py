from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from zslpipe.data.known import describe_missing_images
from zslpipe.data.xlsa17 import read_xlsa17, read_xlsa17_folder
from zslpipe.errors import InputError

Make = Callable[..., Path]


def folder(root: Path) -> Path:
    return root / "xlsa17" / "data" / "CUB"


def test_reads_the_layout_and_shifts_rows_once(xlsa: Make) -> None:
    b = read_xlsa17("cub", xlsa())
    assert b.name == "cub"
    assert b.class_names[0] == "001.Bird_a"
    assert b.image_ids[0] == "001.Bird_a/0.jpg"
    assert b.labels.dtype == np.int64
    assert b.labels.tolist() == np.repeat(np.arange(6), 5).tolist()
    assert b.test_seen.tolist() == [4, 9, 14, 19]
    assert b.test_unseen.tolist() == list(range(20, 30))
    assert b.semantics.shape == (6, 4)
    assert b.semantics.dtype == np.float32
    assert b.attribute_names[0] == "attribute 1"
    assert b.image_root is None
    assert set(b.sources) == {"att_splits.mat", "res101.mat"}


def test_uint8_labels_do_not_overflow(xlsa: Make) -> None:
    labels = np.repeat(np.arange(1, 7), 5).astype(np.uint8)[:, None]
    assert read_xlsa17("cub", xlsa(labels=labels)).labels.max() == 5


@pytest.mark.parametrize("above", ["data", "."])
def test_other_locations_of_the_folder(xlsa: Make, above: str, tmp_path: Path) -> None:
    root = tmp_path / "other"
    (root / above).mkdir(parents=True)
    folder(xlsa()).rename(root / above / "CUB")
    assert len(read_xlsa17("cub", root).image_ids) == 30


def test_all_lists_of_class_names_become_folds(xlsa: Make) -> None:
    root = xlsa()
    lists = {
        "trainclasses1": "004.Bird_d\n001.Bird_a\n",
        "valclasses1": "003.Bird_c\n002.Bird_b",
        "trainclasses2": "001.Bird_a\r\n002.Bird_b\r\n\r\n",
        "valclasses2": "003.Bird_c\n",
    }
    for name, text in lists.items():
        (folder(root) / f"{name}.txt").write_text(text)
    b = read_xlsa17("cub", root)
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 3), (1, 2)), ((0, 1), (2,))]
    assert "valclasses2.txt" in b.sources


def test_without_lists_the_classes_but_not_the_images_of_train_loc_make_a_fold(xlsa: Make) -> None:
    b = read_xlsa17("cub", xlsa())
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 1, 2), (3,))]
    fold = b.fold(b.class_splits[0])
    used = np.concatenate([fold.trainval, fold.test_seen, fold.test_unseen])
    assert np.isin(used, b.trainval).all()  # although train_loc and val_loc contain test_seen
    assert not read_xlsa17("cub", xlsa(train_loc=None)).class_splits


def test_a_fold_of_unseen_or_unknown_classes_is_rejected(xlsa: Make) -> None:
    root = xlsa()
    (folder(root) / "trainclasses1.txt").write_text("001.Bird_a\n006.Bird_f\n")
    (folder(root) / "valclasses1.txt").write_text("002.Bird_b\n")
    with pytest.raises(InputError, match=r"trainclasses1\.txt line 2: class '006\.Bird_f' is not a seen class"):
        read_xlsa17("cub", root)
    (folder(root) / "trainclasses1.txt").write_text("Birdie\n")
    with pytest.raises(InputError, match=r"trainclasses1\.txt line 1: class 'Birdie' is not in allclasses_names"):
        read_xlsa17("cub", root)


def test_missing_class_names_are_numbered(xlsa: Make) -> None:
    assert read_xlsa17("cub", xlsa(allclasses_names=None)).class_names[:2] == ("class 1", "class 2")


def test_attribute_names_and_vectors(xlsa: Make) -> None:
    root = xlsa()
    (root / "attributes").mkdir()
    (root / "attributes" / "CUB_names.txt").write_text("red\nlong\nround\nshy\n")
    np.save(root / "attributes" / "CUB_w2v.npy", np.ones((4, 3)))
    b = read_xlsa17("cub", root)
    assert b.attribute_names == ("red", "long", "round", "shy")
    assert b.attribute_vectors is not None
    assert b.attribute_vectors.shape == (4, 3)
    np.save(root / "attributes" / "CUB_w2v.npy", np.ones((5, 3)))
    b = read_xlsa17("cub", root)
    assert b.attribute_vectors is None
    assert any("CUB_w2v.npy" in n for n in b.notes)
    np.save(root / "attributes" / "CUB_w2v.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match=r"CUB_w2v\.npy is not a numeric \.npy file"):
        read_xlsa17("cub", root)


def test_the_image_folder_is_found(xlsa: Make) -> None:
    root = xlsa()
    b = read_xlsa17("cub", root)
    message = describe_missing_images(b, root)
    assert message is not None
    assert str(root / "images" / "CUB" / "001.Bird_a" / "0.jpg") in message
    (root / "images" / "CUB").mkdir(parents=True)  # an empty folder does not count
    place = root / "CUB_200_2011" / "images"
    for i in b.image_ids:
        (place / i).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(place / i)
    b = read_xlsa17("cub", root)
    assert b.image_root == place
    assert describe_missing_images(b, root) is None
    (place / b.image_ids[7]).unlink()
    message = describe_missing_images(b, root)
    assert message is not None
    assert message.startswith("1 of the 30 images of cub are missing")
    assert b.image_ids[7] in message


def test_repeated_images_get_unique_ids(xlsa: Make) -> None:
    files = np.empty((30, 1), object)
    files[:, 0] = [f"/d/images/{i // 2}.jpg" for i in range(30)]
    b = read_xlsa17("cub", xlsa(image_files=files))
    assert b.image_ids[:3] == ("0.jpg", "0.jpg#2", "1.jpg")
    assert "15 rows" in b.notes[0]


def test_a_folder_in_the_layout_and_an_explicit_labels_file(xlsa: Make, tmp_path: Path) -> None:
    place = folder(xlsa())
    (place / "res101.mat").rename(tmp_path / "mine.mat")
    with pytest.raises(InputError, match=r"CUB has no file with labels and image_files; put res101\.mat"):
        read_xlsa17_folder(place, "mine")
    b = read_xlsa17_folder(place, "mine", tmp_path / "mine.mat")
    assert b.name == "mine"
    (tmp_path / "mine.mat").rename(place / "a_file_of_mine.mat")
    assert set(read_xlsa17_folder(place, "mine").sources) == {"att_splits.mat", "a_file_of_mine.mat"}


def test_a_missing_dataset_says_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"\(--data-root, ZSLPIPE_DATA\); put att_splits.mat and res101.mat .*into .*nowhere/xlsa17/data/CUB",
    ):
        read_xlsa17("cub", tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"awa2: put att_splits\.mat .* into .*/xlsa17/data/AWA2"):
        read_xlsa17("awa2", tmp_path)


def test_invalid_files_are_reported_in_one_sentence(xlsa: Make) -> None:
    rows = np.arange(1, 17, dtype=np.uint16)[:, None]
    cases = {
        r"att_splits\.mat: entry 16 of trainval_loc is 31, but rows range from 1 to 30": {
            "trainval_loc": np.array([*range(1, 5), *range(6, 10), *range(11, 15), 16, 17, 18, 31])
        },
        r"att_splits\.mat: entry 1 of test_seen_loc is 0": {"test_seen_loc": np.array([0, 5])},
        r"att_splits\.mat: class '005\.Bird_e' is both seen and unseen": {"trainval_loc": np.array([*range(1, 5), 21])
            , "test_unseen_loc": np.array([22, 23]), "test_seen_loc": np.array([5])},
        r"att_splits\.mat: image '.*' is in both trainval and test_seen": {"trainval_loc": rows},
        r"res101\.mat: features have shape 3 x 29, but there are 30 labels": {"features": np.zeros((3, 29))},
        r"res101\.mat: there are 30 image_files, but 29 labels": {"labels": np.ones((29, 1))},
        r"att_splits\.mat: att has 5 columns, but there are 6 allclasses_names": {"att": np.ones((4, 5))},
        r"res101\.mat: labels go up to 6, but .* has 5 classes": {"att": np.ones((4, 5)), "allclasses_names": None},
        r"res101\.mat: label 0 in row 1; labels count from 1": {"labels": np.repeat(np.arange(6), 5)[:, None]},
        r"att_splits\.mat: the attribute matrix has NaN or infinity at class '001\.Bird_a'": {
            "att": np.full((4, 6), np.nan)
        },
        r"att_splits\.mat has no variable 'att'": {"att": None},
        r"res101\.mat: image_files row 1 is not a valid": {"image_files": np.array([["../../x"]] * 30, object)},
    }  # fmt: skip
    for sentence, changes in cases.items():
        root = xlsa(**changes)
        with pytest.raises(InputError, match=sentence) as error:
            read_xlsa17("cub", root)
        assert "\n" not in str(error.value)


def test_a_file_that_is_not_matlab(xlsa: Make) -> None:
    root = xlsa()
    (folder(root) / "att_splits.mat").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"att_splits\.mat is not a readable MATLAB file"):
        read_xlsa17("cub", root)
    scipy.io.savemat(folder(root) / "att_splits.mat", {})
    with pytest.raises(InputError, match=r"has no variable .* available: none"):
        read_xlsa17("cub", root)
