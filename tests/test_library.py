"""What `import zslpipe` offers: quick to import, typed, silent, and as docs/library.md says."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import zslpipe
from zslpipe.errors import InputError
from zslpipe.heads import HEADS

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "library.md"


def test_the_guide_runs_as_it_stands_and_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()  # noqa: NPY002
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    names = {"__name__": "guide"}
    monkeypatch.setattr(HEADS, "_things", dict(HEADS._things))  # the guide registers a head
    exec(compile(code, str(GUIDE), "exec"), names)
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_num_threads() == before[2]
    missing = [name for name in zslpipe.__all__ if f"zslpipe.{name}" not in GUIDE.read_text()]
    assert missing == ["Benchmark"], "every public name has an example"
    assert isinstance(names["benchmark"], zslpipe.Benchmark)


def test_every_public_name_exists_and_is_documented() -> None:
    for name in zslpipe.__all__:
        assert getattr(zslpipe, name).__doc__, name
    assert set(zslpipe.__all__) <= set(dir(zslpipe))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = zslpipe.nothing
    assert (Path(zslpipe.__file__).parent / "py.typed").exists()


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, zslpipe; print(any(m in sys.modules for m in ('torch', 'numpy', 'zarr', 'timm', 'click')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.slow  # a timing: noisy on shared machines
def test_importing_is_quick() -> None:
    def seconds(code: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - started

    bare, ours = (min(seconds(code) for _ in range(5)) for code in ("pass", "import zslpipe"))
    assert ours - bare < 0.1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"labels": np.zeros(4)}, "labels must be integers"),
        ({"semantics": np.zeros(3)}, "semantics must have the shape"),
        ({"unseen": ["class 9"]}, "unknown class 'class 9'"),
        ({"unseen": [7]}, "unseen class 7 does not index the 3 rows"),
        ({"unseen": [0, 1, 2]}, "nothing to train on"),
        ({"test_share": 1.5}, "test_share must be between 0 and 1"),
        ({"labels": np.array([0, 0, 1, 5])}, "labels range from 0 to 5"),
    ],
)
def test_wrong_arrays_are_refused_in_a_sentence(changed: dict[str, object], sentence: str) -> None:
    given = {"labels": np.array([0, 0, 1, 2]), "semantics": np.eye(3), "unseen": [2], **changed}
    with pytest.raises(InputError, match=sentence):
        zslpipe.make_benchmark(**given)  # type: ignore[arg-type]


def test_splits_are_seeded_and_stratified() -> None:
    labels = np.repeat(np.arange(5), 10)
    made = [zslpipe.make_benchmark(labels, np.eye(5), ["class 4"], seed=s) for s in (0, 0, 1)]
    assert np.array_equal(made[0].test_seen, made[1].test_seen)
    assert not np.array_equal(made[0].test_seen, made[2].test_seen)
    assert np.bincount(labels[made[0].test_seen]).tolist() == [2, 2, 2, 2]
    assert made[0].test_unseen.tolist() == list(range(40, 50))
