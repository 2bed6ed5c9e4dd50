from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.class_folders import normalize_name
from zslpipe.data.class_table import ClassTable, class_rows, read_class_table
from zslpipe.data.csv_lines import csv_bytes
from zslpipe.data.folder import read_folder
from zslpipe.data.known_classes import KnownClasses
from zslpipe.data.make_class_table import make_class_table
from zslpipe.data.xlsa17 import read_known_classes, read_xlsa17
from zslpipe.errors import InputError

Make = Callable[..., Path]


@pytest.fixture
def known(xlsa: Make) -> Benchmark:
    root = xlsa()
    (root / "attributes").mkdir()
    np.save(root / "attributes" / "CUB_w2v.npy", np.arange(12.0).reshape(4, 3))
    (root / "attributes" / "CUB_names.txt").write_text('a,b\n"c"\nd e\nf\n')
    folder = root / "xlsa17" / "data" / "CUB"
    for k, (train, val) in enumerate([("ab", "cd"), ("cd", "ab")], start=1):
        for part, letters in (("train", train), ("val", val)):
            text = "\n".join(f"{'abcdef'.index(x) + 1:03d}.Bird_{x}" for x in letters)
            (folder / f"{part}classes{k}.txt").write_text(text)
    return read_xlsa17("cub", root)


def put(root: Path, ids: list[str]) -> None:
    for i in ids:
        (root / i).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / i)


def test_a_folder_with_some_of_the_classes_becomes_a_benchmark(known: Benchmark, tmp_path: Path) -> None:
    images = tmp_path / "some"
    here = ("001", "002", "003", "005")
    put(images, [i for i in known.image_ids if i[:3] in here])
    put(images, ["001.Bird_a/stray.jpg", "else/x.jpg", "bird_fg/x.jpg"])
    written = make_class_table(KnownClasses.of(known), images, tmp_path / "tables")
    assert {f.name for f in written.files} == {"classes.csv", "images.csv", "attribute_vectors.npy"}
    assert any("images not in the split of cub, skipped: 3" in n for n in written.notes)
    assert any("folders that match no class: 2 (bird_fg (did you mean 006.Bird_f?), else)." in n for n in written.notes)

    b = read_folder(images, tmp_path / "tables")
    assert b.class_names == ("001.Bird_a", "002.Bird_b", "003.Bird_c", "005.Bird_e")
    assert np.array_equal(b.semantics, known.semantics[[0, 1, 2, 4]])
    assert b.attribute_names == known.attribute_names
    assert b.attribute_vectors is not None
    assert np.array_equal(b.attribute_vectors, known.attribute_vectors)
    assert [(s.train, s.val) for s in b.class_splits] == [((0, 1), (2,)), ((2,), (0, 1))]
    part = {
        i: p for p in ("trainval", "test_seen", "test_unseen") for i in np.array(known.image_ids)[getattr(known, p)]
    }
    for p in ("trainval", "test_seen", "test_unseen"):
        assert all(part[b.image_ids[i]] == p for i in getattr(b, p))
    assert len(b.image_ids) == 20


def test_nested_folders_and_other_spellings_match(known: Benchmark, tmp_path: Path) -> None:
    images = tmp_path / "some"
    put(images, ["x/bird-a/0.jpg", "x/bird-a/new.jpg", "Bird F/25.jpg"])
    make_class_table(KnownClasses.of(known), images, tmp_path)
    b = read_folder(images, tmp_path)
    assert b.class_names == ("x/bird-a", "Bird F")
    assert b.image_ids == ("Bird F/25.jpg", "x/bird-a/0.jpg")


def test_without_listed_images_the_reader_draws_test_seen(known: Benchmark, tmp_path: Path) -> None:
    images = tmp_path / "some"
    put(images, [f"{c}/mine{i}.jpg" for c in ("001.Bird_a", "006.Bird_f") for i in range(5)])
    (tmp_path / "images.csv").write_text("image,split\nold,trainval\n")
    written = make_class_table(KnownClasses.of(known), images, tmp_path)
    assert [f.name for f in written.files] == ["classes.csv", "attribute_vectors.npy"]
    assert any("cub lists none of these images" in n for n in written.notes)
    assert len(read_folder(images, tmp_path).test_seen) == 1


def test_folders_that_match_no_class_or_the_same_class_are_reported(known: Benchmark, tmp_path: Path) -> None:
    put(tmp_path / "none", ["cat/0.jpg"])
    with pytest.raises(InputError, match=r"no folder in .*none matches a class of cub \(001"):
        make_class_table(KnownClasses.of(known), tmp_path / "none", tmp_path)
    put(tmp_path / "two", ["001.Bird_a/0.jpg", "bird a/0.jpg"])
    with pytest.raises(InputError, match=r"folders 001\.Bird_a and bird a both match class '001\.Bird_a'"):
        make_class_table(KnownClasses.of(known), tmp_path / "two", tmp_path)
    assert not (tmp_path / "classes.csv").exists()


def test_names_are_compared_without_case_numbers_and_signs() -> None:
    assert normalize_name("grizzly+bear") == normalize_name("Grizzly Bear") == "grizzlybear"
    assert normalize_name("Käuzchen") == "käuzchen"


name = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(str.strip).filter(bool)

attribute = name.filter(lambda s: not s.lower().startswith(("fold", "class", "split")))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.data())
def test_a_written_class_table_is_read_back_exactly(data: st.DataObject, tmp_path: Path) -> None:
    classes = data.draw(st.lists(name.filter(lambda s: s.strip("/") == s), min_size=1, max_size=5, unique=True))
    attributes = data.draw(st.lists(attribute, max_size=4, unique=True))
    unseen = np.array(data.draw(st.lists(st.booleans(), min_size=len(classes), max_size=len(classes))))
    mark = st.sampled_from(["train", "val", ""])
    folds = []
    for _ in range(data.draw(st.integers(0, 3))):
        fold = tuple("" if u else data.draw(mark) for u in unseen)
        if any(fold):
            folds.append(fold)
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    semantics = data.draw(hnp.arrays(np.float32, (len(classes), len(attributes)), elements=finite))
    table = ClassTable(tuple(classes), unseen, tuple(folds), tuple(attributes), semantics)
    (tmp_path / "classes.csv").write_bytes(csv_bytes(class_rows(table)))
    back = read_class_table(tmp_path / "classes.csv")
    assert (back.classes, back.folds, back.attribute_names) == (table.classes, table.folds, table.attribute_names)
    assert np.array_equal(back.unseen, table.unseen)
    assert np.array_equal(back.semantics, table.semantics)


def test_a_known_dataset_needs_no_file_that_lists_its_images(xlsa: Make, tmp_path: Path) -> None:
    root = xlsa()
    folder = root / "xlsa17" / "data" / "CUB"
    whole = read_known_classes("cub", root)
    (folder / "res101.mat").unlink()
    with pytest.raises(InputError, match=r"neither image labels nor testclasses\.txt: put it"):
        read_known_classes("cub", root)
    (folder / "testclasses.txt").write_text("005.Bird_e\n006.Bird_f\n")
    (folder / "trainclasses1.txt").write_text("001.Bird_a\n002.Bird_b\n")
    (folder / "valclasses1.txt").write_text("003.Bird_c\n")
    known = read_known_classes("cub", root)
    assert known.unseen.tolist() == whole.unseen.tolist() == [False] * 4 + [True] * 2
    assert not known.parts
    put(tmp_path / "mine", ["bird a/1.jpg", "Bird-C/1.jpg", "bird f/1.jpg"])
    written = make_class_table(known, tmp_path / "mine", tmp_path / "tables")
    assert [f.name for f in written.files] == ["classes.csv"]
    b = read_folder(tmp_path / "mine", tmp_path / "tables")
    assert [b.class_names[c] for c in b.unseen_classes] == ["bird f"]
    assert [(s.train, s.val) for s in b.class_splits] == [((0,), (1,))]
