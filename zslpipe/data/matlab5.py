"""MATLAB files of version 5 and older, parsed in a process of its own: what crashes there does not take us along."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Lock

import numpy as np

Variable = np.ndarray | list[str]

CHILD = Path(__file__).with_name("matlab5_child.py")
MARK = "."  # the child's, before every name


class ParserError(Exception):
    """Why the parser could not read a file, in its words."""


def variables(path: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of all that the file holds."""
    return {name: tuple(shape.tolist()) for name, shape in _parser.ask("shapes", path).items()}


def read(path: Path, names: list[str] | None) -> dict[str, Variable]:
    """Those of the variables (of all where None) that are there and hold numbers or strings."""
    return {k: v.tolist() if v.dtype.kind == "U" else v for k, v in _parser.ask("values", path, names).items()}


class _Parser:
    """The child: started when it is first asked, and anew after a crash."""

    _process: subprocess.Popen[str] | None
    _lock: Lock

    def __init__(self) -> None:
        self.forget()

    def ask(self, what: str, path: Path, names: list[str] | None = None) -> dict[str, np.ndarray]:
        """The "shapes" or the "values" of variables by name.

        Raises:
            ParserError: where the child cannot read the file, or crashes over it.
        """
        with self._lock, tempfile.TemporaryDirectory(prefix="zslpipe-") as folder:
            answer = Path(folder) / "answer.npz"
            request = {"what": what, "path": str(path.absolute()), "names": names, "answer": str(answer)}
            try:
                said = self._talk(json.dumps(request))
            except BaseException:
                self.stop()  # lest the next request be given the answer to this one
                raise
            if not said:
                self.stop()
                raise ParserError("it makes the parser crash")
            if error := json.loads(said)["error"]:
                raise ParserError(error)
            with np.load(answer, allow_pickle=False) as arrays:
                return {name.removeprefix(MARK): array for name, array in arrays.items()}

    def _talk(self, line: str) -> str:
        """The child's line in answer; nothing where it died."""
        if self._process is None:
            command = [sys.executable, "-P", str(CHILD)]  # -P: its neighbours are no modules of its own
            pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(line, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            return ""
        return self._process.stdout.readline()

    def stop(self) -> None:
        """End the child, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def forget(self) -> None:
        """Leave the child to whoever started it."""
        self._process, self._lock = None, Lock()


_parser = _Parser()
atexit.register(_parser.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_parser.forget)
