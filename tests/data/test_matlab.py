from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zslpipe.data.matlab import mat_variables, read_array, read_integers, read_mat, read_strings
from zslpipe.errors import InputError

STRINGS = ["001.Owl", "", "Käuzchen"]


def write_v73(path: Path, arrays: dict[str, np.ndarray], cells: dict[str, list[str]]) -> None:
    """Write a file laid out like MATLAB's `save -v7.3`: userblock, transposed arrays, cells of references to uint16."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=np.asarray(array).T).attrs["MATLAB_class"] = np.bytes_("double")
        for name, strings in cells.items():
            references = []
            for i, text in enumerate(strings):
                codes = np.frombuffer(text.encode("utf-16-le"), np.uint16)[:, None]
                data = codes if text else np.zeros(2, np.uint64)
                held = file.create_dataset(f"#refs#/{name}{i}", data=data)
                held.attrs["MATLAB_class"] = np.bytes_("char")
                if not text:
                    held.attrs["MATLAB_empty"] = np.uint8(1)
                references.append(held.ref)
            data = np.array(references, dtype=h5py.ref_dtype)[None]
            file.create_dataset(name, data=data, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as stream:
        stream.write(head)


def write_v5(path: Path, arrays: dict[str, np.ndarray], cells: dict[str, list[str]]) -> None:
    boxed = {k: np.array([*v, None], object)[:-1, None] for k, v in cells.items()}
    scipy.io.savemat(path, {**arrays, **boxed})


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_both_versions_read_the_same(write, tmp_path: Path) -> None:
    features = np.arange(6, dtype=np.float32).reshape(2, 3)
    write(tmp_path / "x.mat", {"features": features, "labels": np.array([[1], [2], [3]])}, {"names": STRINGS})
    held = read_mat(tmp_path / "x.mat")
    assert set(held) == {"features", "labels", "names"}
    assert np.array_equal(held["features"], features)
    assert held["labels"].shape == (3, 1)
    assert held["names"] == STRINGS
    assert mat_variables(tmp_path / "x.mat") == {"features": (2, 3), "labels": (3, 1), "names": (3, 1)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    array=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int16, np.uint16]),
        hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=4),
    ),
    strings=st.lists(st.text("abc .é/_1", max_size=6).map(str.rstrip), min_size=1, max_size=4),
)
def test_v5_and_v73_agree_on_anything(array: np.ndarray, strings: list[str], tmp_path: Path) -> None:
    if array.shape[-1] == 1 and array.ndim == 3:
        array = array[..., 0]  # MATLAB drops trailing dimensions of one
    for write in (write_v5, write_v73):
        write(tmp_path / "x.mat", {"a": array}, {"s": strings})
        held = read_mat(tmp_path / "x.mat", ["a", "s"])
        assert held["a"].dtype == array.dtype
        assert np.array_equal(held["a"], array, equal_nan=array.dtype.kind == "f")
        assert held["s"] == strings


def test_char_matrix_sparse_and_h5py_strings(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"c": np.array(["ab", "cd"]), "s": scipy.sparse.eye(3, format="csc")})
    assert read_strings(tmp_path / "a.mat", "c") == ["ab", "cd"]
    assert np.array_equal(read_array(tmp_path / "a.mat", "s"), np.eye(3))
    with h5py.File(tmp_path / "b.mat", "w") as file:
        file["names"] = ["x", "yé"]
        file["group/inside"] = 1
    assert read_mat(tmp_path / "b.mat") == {"names": ["x", "yé"]}


def test_an_empty_array_is_empty_in_both(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"a": np.empty((0, 0))})
    with h5py.File(tmp_path / "b.mat", "w") as file:  # as MATLAB does: the value is the shape
        file["a"] = np.zeros(2, np.uint64)
        file["a"].attrs["MATLAB_empty"] = np.uint8(1)
    assert read_array(tmp_path / "a.mat", "a").shape == read_array(tmp_path / "b.mat", "a").shape == (0, 0)


def test_numeric_cells_and_structs_are_rejected_if_requested_else_skipped(tmp_path: Path) -> None:
    cells = np.array([np.eye(2), "text"], object)
    scipy.io.savemat(tmp_path / "x.mat", {"cells": cells, "struct": {"field": 1}, "fine": 1.0})
    assert set(read_mat(tmp_path / "x.mat")) == {"fine"}
    for name in ("cells", "struct"):
        with pytest.raises(InputError, match=f"'{name}' in .*x.mat is neither numeric nor text"):
            read_mat(tmp_path / "x.mat", [name])


def test_missing_and_wrong_variables_are_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"file not found: .*gone\.mat"):
        read_mat(tmp_path / "gone.mat")
    (tmp_path / "text.mat").write_text("this is not MATLAB's\n" * 20)
    with pytest.raises(InputError, match=r"text\.mat is not a readable MATLAB file"):
        read_mat(tmp_path / "text.mat")
    scipy.io.savemat(tmp_path / "x.mat", {"att": np.eye(2), "name": "bird"})
    with pytest.raises(InputError, match=r"x\.mat has no variable 'labels'; available: att, name"):
        read_mat(tmp_path / "x.mat", ["att", "labels"])
    with pytest.raises(InputError, match=r"'name' in .* contains strings"):
        read_array(tmp_path / "x.mat", "name")
    with pytest.raises(InputError, match=r"'att' in .* is numeric"):
        read_strings(tmp_path / "x.mat", "att")


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_a_truncated_or_corrupted_file_is_read_or_rejected(write, tmp_path: Path) -> None:
    write(tmp_path / "x.mat", {"a": np.eye(4)}, {"s": STRINGS})
    whole = (tmp_path / "x.mat").read_bytes()
    rng = np.random.default_rng(0)
    rejected = 0
    for cut in rng.integers(0, len(whole), 30):
        (tmp_path / "y.mat").write_bytes(whole[:cut])
        try:
            read_mat(tmp_path / "y.mat", ["a", "s"])
        except InputError:
            rejected += 1
    assert rejected >= 20
    for place in rng.integers(0, len(whole), 30):
        (tmp_path / "y.mat").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_mat(tmp_path / "y.mat", ["a", "s"])
        except InputError:
            rejected += 1


def test_integers_do_not_overflow(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"n": np.array([255, 1], np.uint8), "half": [0.5], "nan": [np.nan]})
    assert (read_integers(tmp_path / "x.mat", "n") + 1).tolist() == [256, 2]
    for name in ("half", "nan"):
        with pytest.raises(InputError, match=f"x.mat: {name} must contain integers"):
            read_integers(tmp_path / "x.mat", name)


def test_damaged_files_are_rejected_and_never_crash_the_program(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = np.array([[f"{i}/a.jpg"] for i in range(12)], dtype=object)
    scipy.io.savemat(tmp_path / "a.mat", {"features": rng.random((5, 12)), "image_files": names})
    whole = (tmp_path / "a.mat").read_bytes()
    messages = []
    for i in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = rng.integers(256)
        path = tmp_path / f"{i}.mat"
        path.write_bytes(damaged)
        try:
            read_mat(path)
        except InputError as rejected:
            messages.append(str(rejected))
    assert len(messages) > 50
