"""Run a parser that may crash in a child process: what it reads comes back as plain bytes, its crash as a sentence."""

import faulthandler
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from typing import BinaryIO, NoReturn

import numpy as np

MARK = "."  # before every name: numpy takes some for settings of its own


class ChildError(Exception):
    """What the child died of, in words."""


def arrays_from_child(read: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `read` returns, called in a fork of this process, or on the spot where systems have no fork.

    The arrays hold no objects: nothing is unpickled.

    Raises:
        ChildError: where `read` raised or took the child along.
    """
    if not hasattr(os, "fork"):
        return dict(read())
    with tempfile.TemporaryFile() as answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, which the child needs not
            child = os.fork()
        if not child:
            _serve(read, answer)
        status = os.waitpid(child, 0)[1]
        answer.seek(0)
        if not os.WIFEXITED(status):
            raise ChildError("it makes the parser crash")
        if os.WEXITSTATUS(status):
            raise ChildError(answer.read().decode())
        with np.load(answer, allow_pickle=False) as arrays:
            return {name.removeprefix(MARK): array for name, array in arrays.items()}


def _serve(read: Callable[[], Mapping[str, np.ndarray]], answer: BinaryIO) -> NoReturn:
    code = 1
    try:
        faulthandler.disable()  # the parent tells
        try:
            np.savez(answer, **{MARK + name: array for name, array in read().items()})  # type: ignore[arg-type]
            code = 0
        except Exception as problem:
            answer.seek(0)
            answer.truncate()
            answer.write((str(problem) or type(problem).__name__).encode())
        answer.flush()
    finally:
        os._exit(code)
