import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zslpipe.data.folder import read_folder
from zslpipe.errors import InputError


def write_images_csv(folder: Path, leave_out: tuple[str, ...] = (), **changes: str) -> None:
    rows = {f"{c}/{i}.png": "test_seen" if i == 3 else "trainval" for c in "abcd" for i in range(4)}
    rows |= {f"e/{i}.png": "test_unseen" for i in range(4)}
    rows = {k: v for k, v in rows.items() if k not in leave_out}
    (folder / "images.csv").write_text("image,split\n" + "".join(f"{k},{v}\n" for k, v in rows.items()))


def test_without_images_csv_a_random_share_is_test_seen(birds: Path) -> None:
    b = read_folder(birds)
    assert b.name == "birds"
    assert b.class_names == tuple("abcde")
    assert b.attribute_names == ("red", "long")
    assert b.semantics[4].tolist() == [-1, 0.5]
    assert b.image_root == birds
    assert b.image_ids[:2] == ("a/0.png", "a/1.png")
    assert b.labels[b.test_seen].tolist() == [0, 1, 2, 3]
    assert len(b.trainval) == 12
    assert b.test_unseen.tolist() == [16, 17, 18, 19]
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 1), (2, 3))]
    assert np.array_equal(b.test_seen, read_folder(birds).test_seen)
    assert any(not np.array_equal(b.test_seen, read_folder(birds, seed=s).test_seen) for s in range(1, 6))
    assert any("a random 20% of the images of each seen class" in n for n in b.notes)
    assert set(b.sources) == {"classes.csv"}


def test_with_images_csv_unlisted_images_are_skipped(birds: Path) -> None:
    write_images_csv(birds, leave_out=("a/1.png",))
    (birds / "unlisted").mkdir()  # its images are not listed either, so it needs no line in classes.csv
    Image.new("RGB", (4, 4)).save(birds / "unlisted" / "x.JPG")
    b = read_folder(birds)
    assert b.labels[b.test_seen].tolist() == [0, 1, 2, 3]
    assert len(b.image_ids) == 19
    assert "images not listed in images.csv, skipped: 2 (a/1.png, unlisted/x.JPG)." in b.notes
    assert set(b.sources) == {"classes.csv", "images.csv"}


def test_tables_may_be_in_another_or_the_parent_folder(birds: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    (birds / "classes.csv").rename(tables / "classes.csv")
    assert len(read_folder(birds, tables).image_ids) == 20
    birds.rename(tables / "images")
    for place in (tables, tables / "images"):
        b = read_folder(place)
        assert b.name == "tables"
        assert b.image_root == tables / "images"
    with pytest.raises(InputError, match=r"there is no classes\.csv in .*elsewhere"):
        read_folder(tables / "images", tmp_path / "elsewhere")


def test_stray_and_hidden_files_nested_folders_and_unusual_suffixes(birds: Path) -> None:
    (birds / "Thumbs.db").write_text("x")
    (birds / "a" / "notes.txt").write_text("x")
    (birds / "a" / "._0.png").write_text("x")
    (birds / ".hidden").mkdir()
    (birds / ".hidden" / "x.png").write_text("x")
    (birds / "only_text").mkdir()  # a folder without images needs no line in classes.csv
    (birds / "only_text" / "x.txt").write_text("x")
    Image.new("RGB", (4, 4)).save(birds / "loose.png")
    (birds / "b" / "deep" / "er").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(birds / "b" / "deep" / "er" / "X.JpEg")
    b = read_folder(birds)
    assert b.image_ids[8] == "b/deep/er/X.JpEg"
    assert b.labels[8] == 1
    assert len(b.image_ids) == 21
    assert "files that are not images, skipped: 4 (Thumbs.db, a/._0.png, a/notes.txt, ...)." in b.notes
    assert "images outside a class folder, skipped: 1 (loose.png)." in b.notes


def test_a_class_may_be_a_folder_in_a_folder(birds: Path) -> None:
    (birds / "group").mkdir()
    (birds / "e").rename(birds / "group" / "e")
    text = (birds / "classes.csv").read_text()
    (birds / "classes.csv").write_text(text.replace("\ne,", "\ngroup/e,"))
    assert read_folder(birds).class_names[4] == "group/e"


def test_classes_without_images_are_unseen(birds: Path) -> None:
    with (birds / "classes.csv").open("a") as file:
        file.write("f,seen,1,1\ng,unseen,0,1\nh,val,0,0\n")
    b = read_folder(birds)
    assert b.class_names == tuple("abcdefgh")
    assert [b.class_names[c] for c in b.unseen_classes] == list("efgh")
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 1), (2, 3))]
    assert any("classes without images: 3, candidates that cannot be tested: f, g, h." in n for n in b.notes)


def test_links_are_followed_once(birds: Path, tmp_path: Path) -> None:
    (birds / "e").rename(tmp_path / "elsewhere")
    (birds / "e").symlink_to(tmp_path / "elsewhere")
    (birds / "a" / "loop").symlink_to(birds)
    assert len(read_folder(birds).image_ids) == 20


def test_more_folds_and_word_vectors(birds: Path) -> None:
    rows = ["class,split,fold2,red,fold3", "a,train,val,0.1,", "b,train,train,0.2,train", "c,val,train,0.3,val"]
    (birds / "classes.csv").write_text("\n".join([*rows, "d,seen,,0.4,val", "e,unseen,,0,"]))
    np.save(birds / "attribute_vectors.npy", np.ones((1, 3)))
    b = read_folder(birds)
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 1), (2,)), ((1, 2), (0,)), ((1,), (2, 3))]
    assert b.attribute_names == ("red",)
    assert b.attribute_vectors is not None
    assert b.attribute_vectors.shape == (1, 3)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("class,split", "name,part", "classes.csv line 1: there is no column 'class', only name, part"),
        ("b,train", "a,train", "classes.csv line 3: class 'a' is listed twice"),
        ("b,train", "b,test", "classes.csv line 3: split 'test' is not one of seen, unseen, train, val"),
        ("b,train", ",train", "classes.csv line 3: the class name is empty"),
        ("0.2", "nan", "classes.csv line 3: 'nan' is not a finite number (column 'red')"),
        ("0.2", "red", "classes.csv line 3: 'red' is not a finite number (column 'red')"),
        ("red,long", "red,red", "classes.csv line 1: two columns are named 'red'"),
        ("red,long", "red,", "classes.csv line 1: column 4 has no name"),
        ("0.2,", "", "classes.csv line 3: 3 fields, expected 4"),
        ("b,train,0.2,1\n", "", "classes.csv has no line for these folders of images: 'b'"),
        ("e,unseen", "e,seen", None),
        (
            "a,train,0.1,1\nb,train,0.2,1\nc,val,0.3,0\nd,val,0.4,0\n",
            "",
            "folders of images: 'a', 'b', 'c', 'd'; add lines",
        ),
    ],
)
def test_a_bad_class_table_is_reported(birds: Path, old: str, new: str, sentence: str | None) -> None:
    text = (birds / "classes.csv").read_text()
    (birds / "classes.csv").write_text(text.replace(old, new, 1))
    if sentence is None:  # no unseen classes are allowed, although T1 cannot be computed
        assert not len(read_folder(birds).test_unseen)
        return
    with pytest.raises(InputError) as error:
        read_folder(birds)
    assert sentence in str(error.value)
    assert str(birds) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("image,split", "file,split", "line 1: the header must be image,class,split"),
        ("a/0.png,trainval", "a/0.png,train", "line 2: split 'train' is not one of trainval, test_seen, test_unseen"),
        ("a/0.png,trainval", "a/0.png,test_unseen", "line 2: image 'a/0.png' is test_unseen, but class 'a' is seen"),
        ("e/0.png,test_unseen", "e/0.png,trainval", "line 18: image 'e/0.png' is trainval, but class 'e' is unseen"),
        ("a/1.png", "a/0.png", "line 3: image 'a/0.png' is already listed in line 2"),
        ("a/1.png", "a/9.png", "line 3: image not found: "),
        ("a/1.png", "z/1.png", "line 3: image not found: "),
        ("a/1.png", "../1.png", "line 3: '../1.png' is not a path inside the image folder"),
        ("a/1.png", "/a/1.png", "line 3: '/a/1.png' is not a path inside the image folder"),
    ],
)
def test_a_bad_image_table_is_reported(birds: Path, old: str, new: str, sentence: str) -> None:
    write_images_csv(birds)
    text = (birds / "images.csv").read_text()
    (birds / "images.csv").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        read_folder(birds)
    assert f"{birds / 'images.csv'} {sentence}" in str(error.value)


def test_what_is_missing_or_unreadable_is_reported(birds: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"folder not found: .*nowhere"):
        read_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"there is no classes\.csv in .*empty"):
        read_folder(tmp_path / "empty")
    with pytest.raises(InputError, match="has no images in class folders"):
        read_folder(tmp_path / "empty", birds)
    np.save(birds / "attribute_vectors.npy", np.ones((5, 3)))
    with pytest.raises(InputError, match=r"attribute_vectors\.npy has shape \(5, 3\), but .* has 2 attributes"):
        read_folder(birds)
    (birds / "attribute_vectors.npy").unlink()
    (birds / "classes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"classes\.csv cannot be read as a table"):
        read_folder(birds)


def test_an_unreadable_folder_is_reported(birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = os.scandir

    def refuse(place: str) -> object:  # permission bits would not stop root
        if Path(place).name == "a":
            raise PermissionError(13, "Permission denied", str(place))
        return look(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"birds/a cannot be read \(Permission denied\); check its permissions"):
        read_folder(birds)


def test_notes_are_saved_and_loaded(birds: Path, tmp_path: Path) -> None:
    b = read_folder(birds)
    b.save(tmp_path / "b.npz")
    assert type(b).load(tmp_path / "b.npz").notes == b.notes
