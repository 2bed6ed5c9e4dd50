"""Names and what is said of unknown ones."""

import pytest

from zslpipe.errors import InputError
from zslpipe.registry import Registry, nearest


@pytest.fixture
def heads() -> Registry[int]:
    registry: Registry[int] = Registry("head")
    for number, name in enumerate(("remse", "gem", "attention-net")):
        registry.register(name)(number)
    return registry


def test_a_mapping_in_alphabetical_order(heads: Registry[int]) -> None:
    assert list(heads) == ["attention-net", "gem", "remse"]
    assert (len(heads), heads["gem"], "gem" in heads, "apn" in heads) == (3, 1, True, False)


def test_a_name_is_given_once(heads: Registry[int]) -> None:
    with pytest.raises(InputError, match="the head 'gem' is already registered"):
        heads.register("gem")(7)


@pytest.mark.parametrize(
    ("typed", "told"),
    [("remes", "did you mean remse"), ("attention", "did you mean attention-net"), ("zzz", "available: attention-net")],
)
def test_unknown_names_are_answered(heads: Registry[int], typed: str, told: str) -> None:
    with pytest.raises(InputError, match=f"unknown head '{typed}': {told}"):
        heads[typed]


def test_the_nearest_come_first() -> None:
    assert nearest("resnet1o1", ["vit_base", "resnet10", "resnet101"])[0] == "resnet101"
    assert nearest("quite another", ["resnet101"]) == []
