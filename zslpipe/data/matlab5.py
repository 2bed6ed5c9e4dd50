"""Reads MATLAB files of version 5 and older in a child process, because some files crash scipy's parser."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event, Lock, Timer

import numpy as np

Variable = np.ndarray | list[str]

CHILD = Path(__file__).with_name("matlab5_child.py")
PREFIX = "."  # put before every name by the child


LEAST_MEMORY = 3 << 30  # with the libraries; compressed values take more than the file
MEMORY_PER_BYTE = 40
LEAST_SECONDS = 60.0
SECONDS_PER_BYTE = 1e-6


class ParserError(Exception):
    """The parser could not read a file; the message is the parser's."""


def variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all variables in the file."""
    return {name: tuple(shape.tolist()) for name, shape in _parser.ask("shapes", path).items()}


def read(path: Path, names: list[str] | None) -> dict[str, Variable]:
    """The requested variables (None: all), without those that are missing or neither numeric nor text."""
    return {k: v.tolist() if v.dtype.kind == "U" else v for k, v in _parser.ask("values", path, names).items()}


def try_hdf5(path: Path) -> None:
    """Raise `ParserError` if the HDF5 library crashes or stalls on a file."""
    _parser.ask("hdf5", path)


class _Parser:
    """The child process, started on first use and again after a crash."""

    _process: subprocess.Popen[str] | None
    _lock: Lock

    def __init__(self) -> None:
        self.detach()

    def ask(self, what: str, path: Path, names: list[str] | None = None) -> dict[str, np.ndarray]:
        """The "shapes" or the "values" of variables, by name; nothing for "hdf5".

        Raises:
            ParserError: if the child cannot read the file or crashes.
        """
        with self._lock, tempfile.TemporaryDirectory(prefix="zslpipe-") as folder:
            answer = Path(folder) / "answer.npz"
            size = path.stat().st_size
            memory, seconds = LEAST_MEMORY + MEMORY_PER_BYTE * size, LEAST_SECONDS + SECONDS_PER_BYTE * size
            about = {"what": what, "path": str(path.absolute()), "names": names}
            late = Event()
            limit = Timer(seconds, self._stop_waiting, [late])
            limit.start()
            try:
                reply = self._send(json.dumps({**about, "answer": str(answer), "memory": memory, "seconds": seconds}))
            except BaseException:
                self.stop()  # so that a stale answer is never read
                raise
            finally:
                limit.cancel()
            if not reply:
                self.stop()
                raise ParserError(f"it took more than {seconds:.0f} s" if late.is_set() else "the parser crashed")
            if error := json.loads(reply)["error"]:
                raise ParserError(error)
            with np.load(answer, allow_pickle=False) as arrays:
                return {name.removeprefix(PREFIX): array for name, array in arrays.items()}

    def _stop_waiting(self, late: Event) -> None:
        late.set()
        if self._process is not None:
            self._process.kill()

    def _send(self, line: str) -> str:
        """Send one line and return the reply; empty if the child has died."""
        if self._process is None:
            command = [sys.executable, "-P", str(CHILD)]  # -P: do not import modules from its folder
            pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # whose buffers count as memory
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True, env=environment
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return ""
        return self._process.stdout.readline()

    def stop(self) -> None:
        """Stop the child if it is running."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def detach(self) -> None:
        """Forget the child without stopping it; after a fork it belongs to the parent."""
        self._process, self._lock = None, Lock()


_parser = _Parser()
atexit.register(_parser.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_parser.detach)
