"""What a child reads comes back whole, and whatever it dies of is told."""

import os
import signal

import numpy as np
import pytest

from zslpipe.data.in_child import ChildError, arrays_from_child


def test_arrays_come_back_as_they_were() -> None:
    made = {
        "file": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "allow_pickle": np.array(["a", "größer"]),
        "none": np.empty((0, 4), np.uint8),
        "a/b.npy": np.array(3 + 4j),
    }
    back = arrays_from_child(lambda: made)
    assert list(back) == list(made)
    for name, array in made.items():
        np.testing.assert_array_equal(back[name], array)
        assert back[name].dtype == array.dtype
    back["file"][0, 0] = 7  # they are the caller's own


def test_it_runs_elsewhere() -> None:
    assert arrays_from_child(lambda: {"pid": np.array(os.getpid())})["pid"] != os.getpid()


def test_the_childs_own_words_are_told() -> None:
    def fail() -> dict[str, np.ndarray]:
        raise ValueError("no such block")

    with pytest.raises(ChildError, match="no such block"):
        arrays_from_child(fail)


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_is_told(how: signal.Signals) -> None:
    def crash() -> dict[str, np.ndarray]:
        os.kill(os.getpid(), how)
        return {}

    with pytest.raises(ChildError, match="crash"):
        arrays_from_child(crash)


def test_nothing_is_unpickled() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        arrays_from_child(lambda: {"objects": np.array([{}], object)})


def test_where_there_is_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert arrays_from_child(lambda: {"pid": np.array(os.getpid())})["pid"] == os.getpid()
