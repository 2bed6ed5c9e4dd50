"""Tasks in processes: results as they come, and only the task that ends its process is lost."""

import os
import signal
import sys
from typing import Literal

import pytest

from zslpipe.errors import InputError
from zslpipe.spread import Lost, require_backend, spread


def test_an_absent_backend_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"the backend dask needs distributed: pip install 'zslpipe\[dask\]'"):
        require_backend("dask")
    with pytest.raises(InputError, match="must be one of loky, dask, ray"):
        require_backend("slurm")


def _maybe_kill(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * number


@pytest.mark.parametrize("on", ["loky", pytest.param("ray", marks=pytest.mark.slow)])
def test_only_the_task_that_ends_its_process_is_lost(on: Literal["loky", "ray"]) -> None:
    if on == "ray":
        pytest.importorskip("ray")
    results = dict(spread(_maybe_kill, range(8), 2, on))
    assert isinstance(results.pop(3), Lost)
    assert results == {n: 10 * n for n in range(8) if n != 3}
