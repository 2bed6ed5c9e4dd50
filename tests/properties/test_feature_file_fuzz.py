"""Thousands of damaged feature files: each is read or refused in one sentence, and none ends the process.

ZSLPIPE_FUZZ is the number of files of each kind; mutation n of a kind is the same at every run.
"""

import os
import random
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from safetensors.numpy import save_file

from zslpipe.backbones.weights import read_state
from zslpipe.data import matlab5
from zslpipe.errors import InputError
from zslpipe.store.sources import open_source

FEW, MANY = 120, int(os.environ.get("ZSLPIPE_FUZZ", "3000"))
ROWS = 12


def seeds_of(kind: str, folder: Path) -> list[Path]:
    """Whole files of a kind, in the variants that are in use."""
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(ROWS, 8)).astype(np.float32), np.arange(ROWS) % 3
    names = [f"a/{i}.jpg" for i in range(ROWS)]
    made = [folder / f"{i}.{kind}" for i in range(2)]
    if kind == "mat":
        cells = np.array(names, dtype=object)[:, None]
        for path, compressed in zip(made, (False, True)):
            content = {"features": features.T.astype(float), "labels": labels[:, None] + 1, "image_files": cells}
            scipy.io.savemat(path, content, do_compression=compressed)
    elif kind == "h5":
        for path, options in zip(made, ({}, {"chunks": (4, 8), "compression": "gzip"})):
            with h5py.File(path, "w") as file:
                file.create_dataset("features", data=features, **options)
                file["labels"] = labels
                file["image_files"] = names
    elif kind == "npz":
        np.savez(made[0], features=features, labels=labels, image_files=np.array(names))
        np.savez_compressed(made[1], features=features.reshape(ROWS, 2, 4))
    elif kind == "npy":
        np.save(made[0], features)
        np.save(made[1], np.asfortranarray(features.astype(np.float16)))
    else:
        save_file({"a": features, "b": labels}, made[0])
        save_file({"weight": np.zeros((3, 2), np.float16)}, made[1], metadata={"x": "y"})
    return made


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Flipped bits, overwritten numbers, cut, doubled or moved parts; most of it near the start, where headers are."""
    data = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        at = rng.randrange(len(data)) if rng.random() < 0.5 else rng.randrange(min(len(data), 512))
        how = rng.randrange(6)
        if how == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            data[at] = rng.randrange(256)
        elif how == 2:
            value = rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1])
            data[at : at + 8] = value.to_bytes(8, "little")
        elif how == 3 and len(data) > 64:
            del data[at : at + rng.randrange(1, 64)]
        elif how == 4:
            data[at:at] = data[at : at + rng.randrange(1, 64)]
        else:
            del data[max(at, 16) :]
    return bytes(data)


def read(kind: str, path: Path) -> None:
    if kind == "safetensors":
        read_state(path)
        return
    source = open_source(path, ROWS)
    if source is not None:
        try:
            for start in range(0, ROWS, 4):
                assert source.block(start, start + 4).shape == (4, *source.shape[1:])
        finally:
            source.close()


def survives(work: Callable[[int], None], numbers: range) -> None:
    """Do the work for each number in a child process, which a crash ends; the number that ends it is named."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(receive)
            for number in numbers:
                signal.alarm(60)
                os.write(send, f"{number}\n".encode())
                work(number)
            os._exit(0)
        except BaseException as problem:
            os.write(send, f"{type(problem).__name__}: {problem}\n".encode()[:500])
            os._exit(1)
    os.close(send)
    with os.fdopen(receive) as told:
        lines = told.read().splitlines()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, f"mutation {lines[-2:]} ended with {code}"


def fuzz(kind: str, folder: Path, count: int) -> None:
    originals = [path.read_bytes() for path in seeds_of(kind, folder)]
    path = folder / f"mutated.{kind}"

    def attempt(number: int) -> None:
        rng = random.Random(f"{kind} {number}")
        path.unlink(missing_ok=True)  # the last one may still be mapped
        path.write_bytes(mutated(rng.choice(originals), rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(kind, path)
        except InputError as problem:
            assert "\n" not in str(problem)  # noqa: PT017

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matlab5, "LEAST_SECONDS", 5.0)  # some stall the HDF5 library for ever
        survives(attempt, range(count))


@pytest.mark.parametrize("kind", ["h5", "npz", "npy", "safetensors"])
def test_some_damaged_files(tmp_path: Path, kind: str) -> None:
    fuzz(kind, tmp_path, FEW)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["mat", "h5", "npz", "npy", "safetensors"])
def test_thousands_of_damaged_files(tmp_path: Path, kind: str) -> None:
    fuzz(kind, tmp_path, MANY)
