"""Class tables as people save them, and folders as people have them."""

from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.class_folders import ClassFolders, suggest_class
from zslpipe.data.class_table import read_class_table
from zslpipe.data.csv_lines import TableError, parse_cell
from zslpipe.data.folder import read_folder
from zslpipe.data.init_table import init_class_table
from zslpipe.errors import InputError

ROWS = [("Class", "SPLIT", "wings, long", "größe"), ("käuzchen", "seen", "0.5", "1"), ("zebra", "Unseen", "0.25", "2")]


def text(delimiter: str = ",", comma: bool = False) -> str:
    lines = []
    for row in ROWS:
        cells = [cell.replace(".", ",") if comma else cell for cell in row]
        lines.append(delimiter.join(f'"{c}"' if delimiter in c else c for c in cells))
    return "\r\n".join(lines) + "\r\n"


@pytest.mark.parametrize(
    "content",
    [
        text().encode(),
        text().encode("utf-8-sig"),
        text().encode("cp1252"),
        text("\t").encode("utf-16"),
        text(";").encode("utf-8-sig"),
        text(";", comma=True).encode("latin-1"),
        text("\t", comma=True).encode(),
        text(",", comma=True).encode(),
        (text(";") + ";;;\r\n\r\n").encode(),
        text().replace("\r\n", ",,\r\n").encode(),
        text().replace("0.5", "50 %").replace("0.25", "25%").encode(),
    ],
)
def test_every_way_of_saving_reads_the_same(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "classes.csv").write_bytes(content)
    table = read_class_table(tmp_path / "classes.csv")
    assert table.classes == ("käuzchen", "zebra")
    assert table.attribute_names == ("wings, long", "größe")
    assert table.semantics.tolist() == [[0.5, 1], [0.25, 2]]
    assert table.unseen.tolist() == [False, True]
    assert table.notes == ()


def test_the_first_sheet_of_a_workbook_is_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in ROWS[:2]:
        book.active.append(row)
    book.active.append(("zebra", "unseen", 0.25, 2))
    book.active.append((None, None, None))
    book.create_sheet("other").append(("nothing",))
    book.save(tmp_path / "classes.xlsx")
    assert read_class_table(tmp_path / "classes.xlsx").semantics.tolist() == [[0.5, 1], [0.25, 2]]
    (tmp_path / "classes.xlsx").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(InputError, match=r"classes\.xlsx is not a readable \.xlsx file"):
        read_class_table(tmp_path / "classes.xlsx")


@pytest.mark.parametrize("cell", ["1.2.3", "1.000,5", "inf", "nan", "maybe", "%", "1,2,3"])
def test_what_is_no_number_is_refused(cell: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of float or ours
        parse_cell(cell)


def test_empty_cells_are_filled_in_and_words_are_numbers(tmp_path: Path) -> None:
    rows = ["class,fur,wings,flies", "a,1,yes,x", "b,,No,", "c,3,TRUE,X", "d,?,false,"]
    (tmp_path / "classes.csv").write_text("\n".join(rows))
    table = read_class_table(tmp_path / "classes.csv")
    assert table.semantics.T.tolist() == [[1, 2, 3, 2], [1, 0, 1, 0], [1, 0, 1, 0]]
    assert table.notes == ("empty cells of classes.csv, filled with the mean of their column: 2.",)
    assert table.undecided == {"a", "b", "c", "d"}


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    rows = ["class,split,fur,wings,latin", "a,sen,1,2,Equus", "a,seen,x,many,Equus", ",seen,big,3,Ursus"]
    (tmp_path / "classes.csv").write_text("\n".join(rows))
    with pytest.raises(TableError) as error:
        read_class_table(tmp_path / "classes.csv")
    assert [problem.removeprefix(f"{tmp_path}/classes.csv ") for problem in error.value.problems] == [
        "line 2: split 'sen' is not one of seen, unseen, train, val.",
        "line 3: class 'a' is listed twice, first in line 2.",
        "line 3: 'many' is not a finite number (column 'wings').",
        "line 4: the class name is empty.",
        "line 4: 'big' is not a finite number (column 'fur').",
        "column 'latin' has no numbers but texts like 'Equus' (line 2): write numbers, yes or no, or delete it.",
    ]
    assert "has 6 problems:\n  line 2: split 'sen'" in str(error.value)


def test_an_empty_column_is_told_from_one_of_texts(tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_text("class,fur\na,\nb,?\n")
    with pytest.raises(TableError, match="column 'fur' has no numbers: fill it in or delete it"):
        read_class_table(tmp_path / "classes.csv")


def test_yes_and_no_in_other_languages(tmp_path: Path) -> None:
    (tmp_path / "classes.csv").write_text("class,fur,wings\na,ja,oui\nb,Nein,non\n")
    assert read_class_table(tmp_path / "classes.csv").semantics.T.tolist() == [[1, 0], [1, 0]]


def test_two_tables_are_one_too_many(birds: Path) -> None:
    (birds / "classes.tsv").write_text("class\n")
    with pytest.raises(InputError, match=r"has both classes\.csv and classes\.tsv: remove one"):
        read_folder(birds)


def test_the_class_table_may_be_named(birds: Path, tmp_path: Path) -> None:
    (birds / "classes.csv").rename(tmp_path / "my birds.csv")
    assert len(read_folder(birds, tmp_path / "my birds.csv").class_names) == 5


@pytest.mark.parametrize(
    ("folder", "meant"),
    [("panda", "giant panda"), ("hores", "horse"), ("giant_panda_bear", "giant panda"), ("xyz", None), ("012", None)],
)
def test_similar_classes_are_suggested(folder: str, meant: str | None) -> None:
    assert suggest_class(f"animals/{folder}", ["horse", "giant panda", "killer whale"]) == meant


def test_folders_are_found_at_any_depth_and_in_other_spellings() -> None:
    folders = ClassFolders(["giant panda", "zebra", "group/horse", "Zebra finch"])
    found = {
        "train/Giant_Panda/1.jpg": "giant panda",
        "zebra/x/y/1.jpg": "zebra",
        "a/b/ZEBRA/1.jpg": "zebra",
        "group/horse/1.jpg": "group/horse",
        "001.zebra-finch/1.jpg": "Zebra finch",
        "panda/1.jpg": None,
        "1.jpg": None,
    }
    assert {image: folders.class_of(image) for image in found} == found
    assert folders.respelled() == {
        "train/Giant_Panda": "giant panda",
        "a/b/ZEBRA": "zebra",
        "001.zebra-finch": "Zebra finch",
    }


def test_a_folder_without_a_line_is_named_with_the_class_it_may_mean(birds: Path) -> None:
    table = (birds / "classes.csv").read_text()
    (birds / "classes.csv").write_text(table + "giant panda,unseen,1,1\nhorse,unseen,0,1\n")
    for i, name in enumerate(["panda", "hores", "qqq"]):
        (birds / name).mkdir()
        (birds / name / "1.png").write_bytes((birds / "a" / f"{i}.png").read_bytes())
    with pytest.raises(InputError) as error:
        read_folder(birds)
    assert "'hores' (did you mean 'horse'?), 'panda' (did you mean 'giant panda'?), 'qqq'; add lines" in str(
        error.value
    )


def test_pictures_may_be_listed_with_their_classes(birds: Path) -> None:
    flat = birds / "flat"
    flat.mkdir()
    rows = ["image;class;split"]
    for c in "abcde":
        for i in range(4):
            (birds / c / f"{i}.png").rename(flat / f"{c}{i}.png")
            rows.append(f"flat/{c}{i}.png;{c};{'test_seen' if c == 'a' and i else ''}")
    (birds / "images.csv").write_text("\n".join(rows))
    b = read_folder(birds)
    assert len(b.image_ids) == 20
    assert np.bincount(b.labels[b.test_seen]).tolist() == [3, 1, 1, 1]  # those of a are stated, the others drawn
    assert np.bincount(b.labels[b.test_unseen]).tolist() == [0, 0, 0, 0, 4]
    (birds / "images.csv").write_text("\n".join([*rows[:2], "flat/a1.png;z;"]))
    with pytest.raises(InputError, match=r"images\.csv line 3: class 'z' is not listed in classes\.csv"):
        read_folder(birds)


def test_without_any_split_some_classes_are_held_back(birds: Path) -> None:
    (birds / "classes.csv").write_text("class,red\n" + "".join(f"{c},{i}\n" for i, c in enumerate("abcde")))
    b = read_folder(birds)
    assert len(b.unseen_classes) == 1
    assert len(b.test_unseen) == 4
    assert np.array_equal(np.bincount(b.labels[b.test_seen], minlength=5)[b.seen_classes], [1, 1, 1, 1])
    assert any(note.startswith("no class has a split: 1 of 5 are unseen at random (seed 0): ") for note in b.notes)
    assert {int(read_folder(birds, seed=s).unseen_classes[0]) for s in range(8)} > {int(b.unseen_classes[0])}


def test_classes_without_images_are_the_unseen_ones_if_nothing_else_is_said(birds: Path) -> None:
    rows = [f"{c},{i}\n" for i, c in enumerate("abcdefg")]
    (birds / "classes.csv").write_text("class,red\n" + "".join(rows))
    b = read_folder(birds)
    assert [b.class_names[c] for c in b.unseen_classes] == ["f", "g"]
    assert not len(b.test_unseen)


def test_a_table_to_fill_in(birds: Path) -> None:
    with pytest.raises(InputError, match=r"classes\.csv already exists"):
        init_class_table(birds)
    (birds / "classes.csv").unlink()
    (birds / "deep").mkdir()
    (birds / "e").rename(birds / "deep" / "e")
    path, classes = init_class_table(birds, ["red", "long"])
    assert classes == 5
    assert path.read_text().splitlines()[:2] == ["class,split,red,long", "a,,,"]
    with pytest.raises(TableError, match="2 problems"):
        read_folder(birds)
    path.write_text(path.read_text().replace(",,,", ",,1,0").replace("a,,1,0", "a,,0,1"))
    assert read_folder(birds).class_names == ("a", "b", "c", "d", "deep/e")
    with pytest.raises(InputError, match="has no images in class folders"):
        init_class_table(birds / "a")


@pytest.mark.parametrize("text", ["1_0", "1_000", "1_0 %", "0x10", "1e400", "nan"])
def test_what_only_python_takes_for_a_number(text: str) -> None:
    with pytest.raises(ValueError, match=text[:3]):
        parse_cell(text)
