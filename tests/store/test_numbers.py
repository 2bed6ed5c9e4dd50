"""The check by bits finds what numpy's isfinite finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from zslpipe.store.numbers import first_not_finite


@pytest.mark.parametrize(("dtype", "integer"), [(np.float16, np.uint16), (np.float32, np.uint32)])
@given(data=st.data())
def test_as_isfinite(dtype, integer, data):
    bits = data.draw(arrays(integer, st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3))))
    values = bits.view(dtype)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))
    assert first_not_finite(values) == (bad[0] if len(bad) else None)


def test_every_float16():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(-1, 1)
    for value in every[::97]:
        assert (first_not_finite(value.reshape(1, 1)) is None) == np.isfinite(value).item()
