import pytest
from hypothesis import given
from hypothesis import strategies as st

from zslpipe.data.image_paths import make_ids_unique, relative_ids
from zslpipe.errors import InputError

part = st.text("abcXY.0_", min_size=1, max_size=5).filter(lambda s: s not in (".", ".."))


@pytest.mark.parametrize(
    ("paths", "ids"),
    [
        (["/BS/x/Animals_with_Attributes2//JPEGImages/ox/ox_1.jpg"], ("ox/ox_1.jpg",)),
        (["/BS/data/SUN/images/a/abbey/s.jpg", "/BS/data/SUN/images/b/bar/t.jpg"], ("a/abbey/s.jpg", "b/bar/t.jpg")),
        (["/BS/flowers/jpg/image_1.jpg"], ("image_1.jpg",)),
        (["D:\\d\\images\\a\\x.jpg"], ("a/x.jpg",)),
        (["/d/one/x.jpg", "/d/two/x.jpg"], ("one/x.jpg", "two/x.jpg")),  # no marker folder: common parents are removed
        (["/d/VOC/JPEGImages/x.jpg", "/d/yahoo/images/x.jpg"], ("VOC/JPEGImages/x.jpg", "yahoo/images/x.jpg")),
        (["001.A/x.jpg", "001.A/y.jpg"], ("001.A/x.jpg", "001.A/y.jpg")),  # relative paths stay
        (["/only/one.jpg"], ("one.jpg",)),
    ],
)
def test_relative_ids(paths: list[str], ids: tuple[str, ...]) -> None:
    assert relative_ids(paths) == ids


@given(st.lists(st.lists(part, min_size=1, max_size=4), min_size=1, max_size=8, unique_by=tuple))
def test_different_paths_keep_different_relative_ids(parts: list[list[str]]) -> None:
    ids = relative_ids(["/root/" + "/".join(p) for p in parts])
    assert len(set(ids)) == len(parts)
    assert not any(i.startswith("/") or not i for i in ids)


@given(st.lists(st.sampled_from(["a", "b", "a#2"]), max_size=9))
def test_repeats_get_unique_ids(ids: list[str]) -> None:
    unique, changed = make_ids_unique(ids)
    assert len(set(unique)) == len(ids)
    assert changed == len(ids) - len(set(ids))


def test_paths_with_dots_or_without_a_name_are_rejected() -> None:
    for path in ("../x.jpg", "", "/images/"):
        with pytest.raises(InputError, match="row 2 is not a valid image path"):
            relative_ids(["/images/a.jpg", path] if path != "/images/" else ["/images/a.jpg", "/"])
