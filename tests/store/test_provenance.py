"""Fingerprints change with what changes the numbers and with nothing else, and differences are described."""

import pytest

from zslpipe.errors import InputError
from zslpipe.store.provenance import backbone_name, check_provenance, describe_differences, difference, fingerprint


def of(**fingerprinted):
    return {"fingerprinted": fingerprinted, "recorded": {}}


def test_the_fingerprint_is_of_the_settings_alone():
    one = {"fingerprinted": {"a": 1, "b": {"c": [1, 2], "d": None}}, "recorded": {"torch": "2.4"}}
    same = {"recorded": {"torch": "2.5", "gpu": "H100"}, "fingerprinted": {"b": {"d": None, "c": [1, 2]}, "a": 1}}
    assert fingerprint(one) == fingerprint(same)
    assert difference(one, same) == []
    assert fingerprint(of(a=1)) != fingerprint(of(a=2))


def test_differences_are_named_by_their_path():
    one = of(backbone={"name": "x", "weights": "abc"}, size=224, only=1)
    other = of(backbone={"name": "x", "weights": "abd"}, size=448, new={})
    found = difference(one, other)
    assert found == [("backbone.weights", "abc", "abd"), ("new", None, {}), ("only", 1, None), ("size", 224, 448)]
    assert describe_differences(found[:1]) == "backbone.weights is 'abc' there and 'abd' here"
    assert describe_differences(found).endswith("; and 1 more")


@pytest.mark.parametrize("provenance", [{}, {"fingerprinted": {}}, {"fingerprinted": {}, "recorded": {}, "x": 1}])
def test_a_provenance_has_two_parts(provenance):
    with pytest.raises(InputError, match="must have the keys"):
        check_provenance(provenance)


def test_the_backbone_is_known_by_name():
    assert backbone_name(of(backbone={"name": "resnet101", "size": 1})) == "resnet101"
    assert backbone_name(of(backbone="res101")) == "res101"
    assert backbone_name(of()) == "unknown"
