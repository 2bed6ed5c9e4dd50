"""Tables of new classes are matched by attribute and put on the scale of the training."""

from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.csv_lines import TableError
from zslpipe.data.new_classes import read_new_classes
from zslpipe.errors import InputError

KNOWN = ("horse", "tiger")
NAMES = ("hoofs", "has stripes::yes", "size")
RAW = np.array([[1, 0, 40], [0, 1, 30]], np.float32)
UNIT = RAW / np.linalg.norm(RAW, axis=1, keepdims=True)


def table(folder: Path, *lines: str) -> Path:
    path = folder / "more.csv"
    path.write_text("\n".join(lines))
    return path


def test_columns_are_matched_by_name(tmp_path: Path) -> None:
    path = table(
        tmp_path, "size,Class,split,HOOFS,note,has stripes::yes,fold2", "35,zebra,unseen,1,5,1,", "0,ant,,0,,0,"
    )
    found = read_new_classes(path, KNOWN, RAW, NAMES)
    assert found.names == ("zebra", "ant")
    assert found.semantics.tolist() == [[1, 1, 35], [0, 0, 0]]


def test_where_classes_are_marked_an_empty_cell_is_a_no(tmp_path: Path) -> None:
    marked = table(tmp_path, "class,hoofs,has stripes::yes,size", "zebra,x,x,35", "ant,,,1")
    assert read_new_classes(marked, KNOWN, RAW, NAMES).semantics.tolist() == [[1, 1, 35], [0, 0, 1]]
    numbers = table(tmp_path, "class,hoofs,has stripes::yes,size", "zebra,1,1,35", "ant,,0,1")
    with pytest.raises(InputError, match=r"line 3: the number is missing \(column 'hoofs'\)"):
        read_new_classes(numbers, KNOWN, RAW, NAMES)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = table(tmp_path, "class,hoofs,has stripes::yes,size", "zebra,1,much,", "ant,1,1,1", "ant,2,2,2", ",1,1,1")
    with pytest.raises(TableError) as caught:
        read_new_classes(path, KNOWN, RAW, NAMES)
    assert [p.removeprefix(f"{path} ") for p in caught.value.problems] == [
        "line 4: class 'ant' is listed twice, first in line 3.",
        "line 5: the class name is empty.",
        "line 2: 'much' is not a finite number (column 'has stripes::yes').",
        "line 2: the number is missing (column 'size').",
    ]


def test_semantics_of_unit_length_stay_of_unit_length(tmp_path: Path) -> None:
    path = table(tmp_path, "class,hoofs,has stripes::yes,size", "zebra,10,10,350")
    found = read_new_classes(path, KNOWN, UNIT, NAMES)
    assert np.linalg.norm(found.semantics) == pytest.approx(1)
    assert found.semantics[0, 2] / found.semantics[0, 0] == pytest.approx(35)


@pytest.mark.parametrize(
    ("lines", "semantics", "told"),
    [
        (("class,hoofs,size", "zebra,1,35"), RAW, r"lacks 1 of the 3 attributes of the training: has stripes::yes;"),
        (("class,hoofs,has stripe,size", "zebra,1,1,35"), RAW, r"\(is it 'has stripe'\?\)"),
        (("name,hoofs", "zebra,1"), RAW, r"line 1: there is no column 'class'"),
        (
            ("class,hoofs,has stripes::yes,size", "zebra,1,1,35", "zebra,1,1,35"),
            RAW,
            r"line 3: class 'zebra' is listed",
        ),
        (("class,hoofs,has stripes::yes,size", ",1,1,35"), RAW, r"line 2: the class name is empty"),
        (("class,hoofs,has stripes::yes,size", "horse,1,1,35"), RAW, r"describes no new class"),
        (("class,hoofs,has stripes::yes,size", "zebra,1,much,35"), RAW, r"line 2: 'much' is not a finite number"),
        (("class,hoofs,has stripes::yes,size", "zebra,1,1,3500"), RAW, r"'zebra' has a value of 3500, but .* 40"),
        (("class,hoofs,has stripes::yes,size", "zebra,0,0,0"), UNIT, r"all attributes of 'zebra' are 0"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, lines: tuple[str, ...], semantics: np.ndarray, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read_new_classes(table(tmp_path, *lines), KNOWN, semantics, NAMES)
