"""The parser of old MATLAB files runs in a child process; its failures are reported and it is restarted."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from zslpipe.data import matlab5
from zslpipe.data.matlab import read_array, read_mat
from zslpipe.data.matlab5 import CHILD, ParserError, read, variables
from zslpipe.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    names = np.array([["wren"], ["größer"], [""]], object)
    made = {"x": np.arange(6.0).reshape(2, 3), "file": np.uint8([7]), "allow_pickle": names, "none": np.empty((0, 4))}
    scipy.io.savemat(tmp_path / "a.mat", {**made, "struct": {"a": 1}})
    return tmp_path / "a.mat"


def replace_child(monkeypatch: pytest.MonkeyPatch, folder: Path, does: str) -> None:
    """Replace the child by one that executes `does` after reading the first request."""
    (folder / "child.py").write_text(f"import os, sys\nline = sys.stdin.readline()\n{does}\n")
    matlab5._parser.stop()
    monkeypatch.setattr(matlab5, "CHILD", folder / "child.py")


def test_names_shapes_and_values_are_exact(file: Path) -> None:
    shapes = {"x": (2, 3), "file": (1, 1), "allow_pickle": (3, 1), "none": (0, 4), "struct": (1, 1)}
    assert variables(file) == shapes
    found = read(file, None)
    assert set(found) == set(shapes) - {"struct"}
    np.testing.assert_array_equal(found["x"], np.arange(6.0).reshape(2, 3))
    assert isinstance(found["file"], np.ndarray)
    assert found["file"].dtype == np.uint8
    assert found["allow_pickle"] == ["wren", "größer", ""]
    assert set(read(file, ["x", "struct", "gone"])) == {"x"}
    assert read(file, []) == {}
    found["x"][0, 0] = 7  # the array is writable


def test_parser_errors_are_passed_on_and_the_child_keeps_running(file: Path, tmp_path: Path) -> None:
    (tmp_path / "no.mat").write_bytes(file.read_bytes()[:200])
    with pytest.raises(ParserError, match=r"\w"):
        read(tmp_path / "no.mat", ["x"])
    assert set(read(file, ["x"])) == {"x"}


@pytest.mark.parametrize("does", ["os.kill(os.getpid(), 11)", "os.abort()", "sys.exit(3)"])
def test_a_crash_is_reported_and_the_next_file_is_read(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    """Whether a damaged file crashes the parser depends on memory contents; this child always crashes."""
    with monkeypatch.context() as patch:
        replace_child(patch, tmp_path, does)
        with pytest.raises(InputError, match=r"a\.mat is not a readable MATLAB file \(the parser crashed\)"):
            read_mat(file)
    assert read_array(file, "x").shape == (2, 3)


def test_a_child_that_died_between_requests_counts_as_a_crash(file: Path) -> None:
    variables(file)
    process = matlab5._parser._process
    assert process is not None
    process.kill()
    process.wait()
    with pytest.raises(ParserError, match="crash"):
        variables(file)
    assert "x" in variables(file)


def test_nothing_is_unpickled(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    does = (
        "import json, numpy\n"
        "numpy.savez(json.loads(line)['answer'], **{'.x': numpy.array([{}], object)})\n"
        "print(json.dumps({'error': None}), flush=True)\nsys.stdin.read()"
    )
    replace_child(monkeypatch, tmp_path, does)
    with pytest.raises(ValueError, match="allow_pickle"):
        read(file, None)
    matlab5._parser.stop()


def test_an_interrupted_request_leaves_no_stale_answer(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    send = matlab5._parser._send

    def interrupted(line: str) -> str:
        send(line)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(matlab5._parser, "_send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            variables(file)
    assert set(read(file, ["x"])) == {"x"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_starts_its_own_parser(file: Path) -> None:
    variables(file)
    ours = matlab5._parser._process
    assert ours is not None
    child = os.fork()
    if not child:
        good = matlab5._parser._process is None and "x" in variables(file)
        matlab5._parser.stop()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ours.poll() is None
    assert set(read(file, ["x"])) == {"x"}


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="no alarms on this system")
def test_the_child_ends_by_itself_if_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "never.mat")  # opening it blocks, as parsing some damaged files does
    request = {"what": "values", "path": str(tmp_path / "never.mat"), "names": None, "answer": str(tmp_path / "a.npz")}
    line = json.dumps({**request, "memory": 2**33, "seconds": 0.1}) + "\n"
    child = subprocess.run([sys.executable, "-P", str(CHILD)], input=line, text=True, timeout=60, check=False)
    assert child.returncode == -signal.SIGALRM
