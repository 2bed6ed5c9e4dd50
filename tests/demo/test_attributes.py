"""The attribute table: column names, semantics and word vectors."""

import numpy as np
import pytest

from zslpipe.demo.attributes import ATTRIBUTE_NAMES, ATTRIBUTES, COLUMNS, HOME_SHARE, attribute_vectors, describe

TRAITS = {attribute.name: attribute.values[0] for attribute in ATTRIBUTES}


def test_counts() -> None:
    assert 16 <= len(ATTRIBUTES) <= 24
    assert 20 <= len(ATTRIBUTE_NAMES) <= 40
    assert len(set(ATTRIBUTE_NAMES)) == len(ATTRIBUTE_NAMES)


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_shares_cover_every_value(attribute) -> None:  # type: ignore[no-untyped-def]
    shares = attribute.shares()
    assert sum(shares.values()) == pytest.approx(1)
    assert set(attribute.values) <= set(shares)
    assert all(share > 0 for share in shares.values())


def test_semantics_contain_each_value_and_both_habitats() -> None:
    row = dict(zip(ATTRIBUTE_NAMES, describe(TRAITS, "snow").tolist()))
    assert row.pop("habitat: meadow") == pytest.approx(HOME_SHARE)
    assert row.pop("habitat: snow") == pytest.approx(1 - HOME_SHARE)
    for attribute in ATTRIBUTES[:-1]:
        for value in attribute.values:
            assert row[attribute.column(value)] == (TRAITS[attribute.name] == value)


def test_absent_value_leaves_zeros() -> None:
    row = describe({**TRAITS, "legs": "none"}, "snow")
    assert not row[[name.startswith("legs") for name in ATTRIBUTE_NAMES]].any()


def test_vectors_of_the_same_attribute_are_similar() -> None:
    vectors = attribute_vectors()
    expected = [[0.5 * (a is b) + 0.5 * (a is b and v == w) for b, w in COLUMNS] for a, v in COLUMNS]
    np.testing.assert_allclose(vectors @ vectors.T, expected, atol=1e-6)
