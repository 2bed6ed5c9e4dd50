"""Feature files of strangers: they give only what they contain, and no more than they claim."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from zslpipe.data import matlab5
from zslpipe.data.matlab import mat_variables, read_mat
from zslpipe.data.matlab5_child import try_hdf5
from zslpipe.errors import InputError
from zslpipe.store.sources import open_source

ROWS = 12


def hostile(path: Path, how: str) -> None:
    """An .h5 whose features are those of another file of the disk."""
    secret = path.with_name("secret.h5")
    values = np.full((ROWS, 4), 7.0)
    with h5py.File(secret, "w") as file:
        file["features"] = values
    values.tofile(path.with_name("secret.bin"))
    with h5py.File(path, "w") as file:
        if how == "external link":
            file["features"] = h5py.ExternalLink(str(secret), "/features")
        elif how == "soft link through an external link":
            file["other"] = h5py.ExternalLink(str(secret), "/")
            file["features"] = h5py.SoftLink("/other/features")
        elif how == "external storage":
            where = [(str(path.with_name("secret.bin")), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset("features", (ROWS, 4), "f8", external=where)
        elif how == "virtual":
            layout = h5py.VirtualLayout((ROWS, 4), "f8")
            layout[:] = h5py.VirtualSource(str(secret), "features", (ROWS, 4))
            file.create_virtual_dataset("features", layout)
        elif how == "a cell elsewhere":
            where = [(str(path.with_name("secret.bin")), 0, h5py.h5f.UNLIMITED)]
            cell = file.create_group("#refs#").create_dataset("a", (4, 1), "u2", external=where)
            cell.attrs["MATLAB_class"] = np.bytes_("char")
            file.create_dataset("features", data=np.ones((ROWS, 4)))
            file.create_dataset("image_files", data=np.array([[cell.ref]], h5py.ref_dtype), dtype=h5py.ref_dtype)
        else:
            raise ValueError(how)


LINKS = ["external link", "soft link through an external link", "external storage", "virtual"]


@pytest.mark.parametrize("name", ["a.h5", "a.mat"])
@pytest.mark.parametrize("how", LINKS)
def test_other_files_are_never_read(tmp_path: Path, name: str, how: str) -> None:
    hostile(tmp_path / name, how)
    with pytest.raises(InputError, match=r"another file|other files"):
        open_source(tmp_path / name, ROWS)


@pytest.mark.parametrize("how", [*LINKS, "a cell elsewhere"])
def test_nor_by_the_reader_of_matlab_files(tmp_path: Path, how: str) -> None:
    hostile(tmp_path / "a.mat", how)
    for read in (read_mat, lambda path: open_source(path, ROWS)):
        with pytest.raises(InputError, match=r"another file|other files"):
            read(tmp_path / "a.mat")


def test_nor_when_a_file_is_tried_first(tmp_path: Path) -> None:
    hostile(tmp_path / "a.mat", "a cell elsewhere")
    (tmp_path / "secret.bin").unlink()  # reading it would raise
    try_hdf5(str(tmp_path / "a.mat"))


def test_claims_without_values_are_refused(tmp_path: Path) -> None:
    for options in ({"chunks": (1, 1024)}, {}):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("features", (ROWS, 10**12), "f8", **options)
        with pytest.raises(InputError, match="not written completely"):
            open_source(path, ROWS)


def test_a_part_of_the_chunks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", (ROWS, 4), "f8", chunks=(4, 4))[:8] = 1
    with pytest.raises(InputError, match="not written completely"):
        open_source(path, ROWS)
    with h5py.File(path, "r+") as file:
        file["features"][8:] = 1
    assert open_source(path, ROWS) is not None


def npz_claiming(path: Path, shape: tuple[int, ...]) -> None:
    import io
    import zipfile

    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("features.npy", stream.getvalue() + bytes(64))


@pytest.mark.parametrize("shape", [(ROWS, 10**12), (ROWS, 10**30), (ROWS, 3)])
def test_an_npz_that_claims_more_than_it_has(tmp_path: Path, shape: tuple[int, ...]) -> None:
    npz_claiming(tmp_path / "a.npz", shape)
    with pytest.raises(InputError, match="claims"):
        open_source(tmp_path / "a.npz", ROWS)


def test_an_npz_larger_than_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", features=np.zeros((ROWS, 100)))
    monkeypatch.setattr("zslpipe.arrays.memory_bytes", lambda: 1000)
    with pytest.raises(InputError, match="memory"):
        open_source(tmp_path / "a.npz", ROWS)


def test_an_npy_that_claims_more_than_it_has(tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as stream:
        header = {"descr": "<f8", "fortran_order": False, "shape": (ROWS, 10**12)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(64))
    with pytest.raises(InputError, match=r"a\.npy is not a readable"):
        open_source(tmp_path / "a.npy", ROWS)


@pytest.mark.parametrize("labels", [np.full(ROWS, 1.5), np.full(ROWS, np.nan), np.full(ROWS, 1e300)])
def test_labels_that_are_no_whole_numbers(tmp_path: Path, labels: np.ndarray) -> None:
    np.savez(tmp_path / "a.npz", features=np.ones((ROWS, 4)), labels=labels)
    with pytest.raises(InputError, match="which is no whole number"):
        open_source(tmp_path / "a.npz", ROWS)


@pytest.mark.parametrize("shape", [(ROWS, 0), (ROWS, 0, 5), (ROWS, 4, 0, 0)])
def test_features_of_no_width(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(InputError, match="hold no numbers"):
        open_source(tmp_path / "a.npy", ROWS)


def test_the_parser_of_matlab_files_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"x": np.zeros((3000, 10_000))}, do_compression=True)  # 240 MB in a file of 240 kB
    matlab5._parser.stop()
    with monkeypatch.context() as patch:
        patch.setattr(matlab5, "LEAST_MEMORY", 1 << 30)
        patch.setattr(matlab5, "MEMORY_PER_BYTE", 0)
        assert read_mat(path)["x"].shape == (3000, 10_000)
        patch.setattr(matlab5, "LEAST_MEMORY", 1 << 28)
        with pytest.raises(InputError, match=r"not a readable MATLAB file"):
            read_mat(path)
    with monkeypatch.context() as patch:
        patch.setattr(matlab5, "LEAST_SECONDS", 0.05)
        patch.setattr(matlab5, "SECONDS_PER_BYTE", 0)
        patch.setattr(matlab5._parser, "_send", slow := SlowSend(matlab5._parser._send))
        with pytest.raises(InputError, match=r"took more than 0 s|crashed"):
            mat_variables(path)
        assert slow.called
    assert mat_variables(path) == {"x": (3000, 10_000)}


class SlowSend:
    """A child that starts and then takes its time."""

    def __init__(self, send: object) -> None:
        self.send, self.called = send, False

    def __call__(self, line: str) -> str:
        self.called = True
        time.sleep(0.3)
        return ""


def test_a_full_disk_is_told_before_writing(tmp_path: Path, tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import namedtuple

    from zslpipe.errors import ZslpipeError
    from zslpipe.store import importing

    usage = namedtuple("usage", "total used free")
    np.save(tmp_path / "a.npy", tiny[1])
    monkeypatch.setattr(importing.shutil, "disk_usage", lambda path: usage(1, 1, 100))
    with pytest.raises(ZslpipeError, match="are free"):
        importing.import_features([tmp_path / "a.npy"], tiny[0], tmp_path / "cache")
