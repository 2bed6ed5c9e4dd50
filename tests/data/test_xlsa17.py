from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from PIL import Image

from zslpipe.data.known import images_missing_sentence
from zslpipe.data.xlsa17 import read_xlsa17, read_xlsa17_folder
from zslpipe.errors import InputError

Make = Callable[..., Path]


def folder(root: Path) -> Path:
    return root / "xlsa17" / "data" / "CUB"


def test_reads_the_layout_and_shifts_once(xlsa: Make) -> None:
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


def test_many_classes_in_uint8_labels_do_not_overflow(xlsa: Make) -> None:
    labels = np.repeat(np.arange(1, 7), 5).astype(np.uint8)[:, None]
    assert read_xlsa17("cub", xlsa(labels=labels)).labels.max() == 5


@pytest.mark.parametrize("above", ["data", "."])
def test_other_places_of_the_folder(xlsa: Make, above: str, tmp_path: Path) -> None:
    root = tmp_path / "other"
    (root / above).mkdir(parents=True)
    folder(xlsa()).rename(root / above / "CUB")
    assert len(read_xlsa17("cub", root).image_ids) == 30


def test_folds_by_name_and_all_of_them(xlsa: Make) -> None:
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


def test_without_lists_the_classes_of_train_loc_make_a_fold_but_never_its_images(xlsa: Make) -> None:
    b = read_xlsa17("cub", xlsa())
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 1, 2), (3,))]
    fold = b.fold(b.class_splits[0])
    used = np.concatenate([fold.trainval, fold.test_seen, fold.test_unseen])
    assert np.isin(used, b.trainval).all()  # although train_loc and val_loc hold test_seen
    assert not read_xlsa17("cub", xlsa(train_loc=None)).class_splits


def test_a_fold_of_unseen_or_unknown_classes_is_refused(xlsa: Make) -> None:
    root = xlsa()
    (folder(root) / "trainclasses1.txt").write_text("001.Bird_a\n006.Bird_f\n")
    (folder(root) / "valclasses1.txt").write_text("002.Bird_b\n")
    with pytest.raises(InputError, match=r"trainclasses1\.txt line 2: class '006\.Bird_f' is not seen"):
        read_xlsa17("cub", root)
    (folder(root) / "trainclasses1.txt").write_text("Birdie\n")
    with pytest.raises(InputError, match=r"trainclasses1\.txt line 1: there is no class 'Birdie'"):
        read_xlsa17("cub", root)


def test_class_names_where_the_file_has_none(xlsa: Make) -> None:
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
    with pytest.raises(InputError, match=r"CUB_w2v\.npy is not a \.npy file of plain numbers"):
        read_xlsa17("cub", root)


def test_images_are_found_where_they_lie(xlsa: Make) -> None:
    root = xlsa()
    b = read_xlsa17("cub", root)
    told = images_missing_sentence(b, root)
    assert told is not None
    assert str(root / "images" / "CUB" / "001.Bird_a" / "0.jpg") in told
    (root / "images" / "CUB").mkdir(parents=True)  # an empty folder is none
    place = root / "CUB_200_2011" / "images"
    for i in b.image_ids:
        (place / i).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(place / i)
    b = read_xlsa17("cub", root)
    assert b.image_root == place
    assert images_missing_sentence(b, root) is None
    (place / b.image_ids[7]).unlink()
    told = images_missing_sentence(b, root)
    assert told is not None
    assert told.startswith("1 of the 30 images of cub are missing")
    assert b.image_ids[7] in told


def test_repeated_images_get_ids_of_their_own(xlsa: Make) -> None:
    files = np.empty((30, 1), object)
    files[:, 0] = [f"/d/images/{i // 2}.jpg" for i in range(30)]
    b = read_xlsa17("cub", xlsa(image_files=files))
    assert b.image_ids[:3] == ("0.jpg", "0.jpg#2", "1.jpg")
    assert "15 rows" in b.notes[0]


def test_a_folder_of_that_layout_and_an_explicit_file(xlsa: Make, tmp_path: Path) -> None:
    place = folder(xlsa())
    (place / "res101.mat").rename(tmp_path / "mine.mat")
    with pytest.raises(InputError, match=r"CUB has no file with labels and image_files: put res101\.mat"):
        read_xlsa17_folder(place, "mine")
    b = read_xlsa17_folder(place, "mine", tmp_path / "mine.mat")
    assert b.name == "mine"
    (tmp_path / "mine.mat").rename(place / "a_file_of_mine.mat")
    assert set(read_xlsa17_folder(place, "mine").sources) == {"att_splits.mat", "a_file_of_mine.mat"}


def test_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"\(--data-root, ZSLPIPE_DATA\); put att_splits.mat and res101.mat .*into .*nowhere/xlsa17/data/CUB",
    ):
        read_xlsa17("cub", tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"awa2: put att_splits\.mat .* into .*/xlsa17/data/AWA2"):
        read_xlsa17("awa2", tmp_path)


def test_bad_files_are_told_in_one_sentence(xlsa: Make) -> None:
    rows = np.arange(1, 17, dtype=np.uint16)[:, None]
    cases = {
        r"att_splits\.mat: entry 16 of trainval_loc is 31, but rows run from 1 to 30": {
            "trainval_loc": np.array([*range(1, 5), *range(6, 10), *range(11, 15), 16, 17, 18, 31])
        },
        r"att_splits\.mat: entry 1 of test_seen_loc is 0": {"test_seen_loc": np.array([0, 5])},
        r"att_splits\.mat: class '005\.Bird_e' is both seen and unseen": {"trainval_loc": np.array([*range(1, 5), 21])
            , "test_unseen_loc": np.array([22, 23]), "test_seen_loc": np.array([5])},
        r"att_splits\.mat: image '.*' is in both trainval and test_seen": {"trainval_loc": rows},
        r"res101\.mat: features are 3 x 29, which does not fit its 30 labels": {"features": np.zeros((3, 29))},
        r"res101\.mat: 30 image_files, but 29 labels": {"labels": np.ones((29, 1))},
        r"att_splits\.mat: att has 5 columns for 6 allclasses_names": {"att": np.ones((4, 5))},
        r"res101\.mat: labels run to 6, but .* has 5 classes": {"att": np.ones((4, 5)), "allclasses_names": None},
        r"res101\.mat: label 0 in row 1; labels count from 1": {"labels": np.repeat(np.arange(6), 5)[:, None]},
        r"att_splits\.mat: the attribute matrix holds NaN or infinity at class '001\.Bird_a'": {
            "att": np.full((4, 6), np.nan)
        },
        r"att_splits\.mat has no variable 'att'": {"att": None},
        r"res101\.mat: image_files row 1 is no path": {"image_files": np.array([["../../x"]] * 30, object)},
    }  # fmt: skip
    for sentence, changes in cases.items():
        root = xlsa(**changes)
        with pytest.raises(InputError, match=sentence) as told:
            read_xlsa17("cub", root)
        assert "\n" not in str(told.value)


def test_v5_file_that_is_garbage(xlsa: Make) -> None:
    root = xlsa()
    (folder(root) / "att_splits.mat").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"att_splits\.mat is not a MATLAB file"):
        read_xlsa17("cub", root)
    scipy.io.savemat(folder(root) / "att_splits.mat", {})
    with pytest.raises(InputError, match="it holds nothing"):
        read_xlsa17("cub", root)
