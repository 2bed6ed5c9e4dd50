"""Names, what is said about unknown ones, and what installed packages add."""

from importlib.metadata import EntryPoint

import pytest

from zslpipe import registry
from zslpipe.errors import InputError
from zslpipe.registry import LISTED, Registry, nearest, unknown


@pytest.fixture
def heads() -> Registry[int]:
    found: Registry[int] = Registry("head")
    for number, name in enumerate(("remse", "gem", "attention-net")):
        found.register(name)(number)
    return found


def test_a_mapping_in_alphabetical_order(heads: Registry[int]) -> None:
    assert list(heads) == ["attention-net", "gem", "remse"]
    assert (len(heads), heads["gem"], "gem" in heads, "apn" in heads) == (3, 1, True, False)


def test_a_name_is_given_once(heads: Registry[int]) -> None:
    with pytest.raises(InputError, match="the head 'gem' is already registered"):
        heads.register("gem")(7)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("remes", "did you mean remse"), ("attention", "did you mean attention-net"), ("zzz", "available: attention-net")],
)
def test_unknown_names_are_answered(heads: Registry[int], typed: str, answer: str) -> None:
    with pytest.raises(InputError, match=f"unknown head '{typed}': {answer}"):
        heads[typed]


def test_a_long_list_says_how_many_more_there_are() -> None:
    names = [f"head {n:02d}" for n in range(LISTED + 3)]
    assert str(unknown("head", "zzz", names)).endswith(f"head {LISTED - 1} and 3 more.")
    assert str(unknown("head", "zzz", names[:LISTED])).endswith(f"head {LISTED - 1}.")


def test_the_nearest_come_first() -> None:
    assert nearest("resnet1o1", ["vit_base", "resnet10", "resnet101"])[0] == "resnet101"
    assert nearest("quite another", ["resnet101"]) == []


def test_entry_points_are_imported_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = []

    class Entry(EntryPoint):
        def load(self) -> None:
            imported.append(self.name)
            if self.name == "broken":
                raise ImportError("no such\nlibrary")
            if self.name == "mine":
                plants.register("mine")(1)

    entries = [Entry(name, f"package:{name}", "zslpipe.plants") for name in ("mine", "broken", "silent")]
    monkeypatch.setattr(registry, "entry_points", lambda group: [e for e in entries if e.group == group])
    plants: Registry[int] = Registry("plant", "zslpipe.plants")
    plants.register("ours")(0)
    assert list(plants) == ["broken", "mine", "ours", "silent"]
    assert (len(plants), "mine" in plants, plants["ours"]) == (4, True, 0)
    assert imported == []
    assert plants["mine"] == 1
    assert plants["mine"] == 1
    assert imported == ["mine"]
    with pytest.raises(InputError, match=r"plant .broken. of .* cannot be imported \(ImportError: no such library\)"):
        plants["broken"]
    with pytest.raises(InputError, match="lists the plant 'silent', but package:silent does not register it"):
        plants["silent"]
    with pytest.raises(InputError, match="unknown plant 'minee': did you mean mine"):
        plants["minee"]
