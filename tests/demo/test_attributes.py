"""The attribute table: named columns, rows that say what is true, vectors that know kinship."""

import numpy as np
import pytest

from zslpipe.demo.attributes import ATTRIBUTE_NAMES, ATTRIBUTES, COLUMNS, HOME, attribute_vectors, describe

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


def test_row_holds_each_value_and_both_habitats() -> None:
    row = dict(zip(ATTRIBUTE_NAMES, describe(TRAITS, "snow").tolist()))
    assert row.pop("habitat: meadow") == pytest.approx(HOME)
    assert row.pop("habitat: snow") == pytest.approx(1 - HOME)
    for attribute in ATTRIBUTES[:-1]:
        for value in attribute.values:
            assert row[attribute.column(value)] == (TRAITS[attribute.name] == value)


def test_absent_value_leaves_zeros() -> None:
    row = describe({**TRAITS, "legs": "none"}, "snow")
    assert not row[[name.startswith("legs") for name in ATTRIBUTE_NAMES]].any()


def test_vectors_know_which_columns_are_values_of_one_attribute() -> None:
    vectors = attribute_vectors()
    akin = [[0.5 * (a is b) + 0.5 * (a is b and v == w) for b, w in COLUMNS] for a, v in COLUMNS]
    np.testing.assert_allclose(vectors @ vectors.T, akin, atol=1e-6)
