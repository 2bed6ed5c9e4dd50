"""One writer per piece: others are refused by name, and dead processes hold nothing."""

import os
import signal
import time

import pytest

from zslpipe.errors import ZslpipeError
from zslpipe.store.claims import CREATION, claim
from zslpipe.store.feature_store import FeatureStore


def in_child(work):
    """Run `work(ready)` in a forked child; returns its pid once it has called `ready`."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(lambda: os.write(writing, b"."))
        finally:
            os._exit(0)
    os.close(writing)
    assert os.read(reading, 1) == b"."
    os.close(reading)
    return pid


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def hold(path, numbers):
    def work(ready):
        with claim(path, numbers, "piece {}"):
            ready()
            time.sleep(60)

    return work


def test_another_process_is_refused_by_name_and_the_dead_hold_nothing(tmp_path):
    lock = tmp_path / ".lock"
    pid = in_child(hold(lock, [3, 4]))
    try:
        with claim(lock, [1, 2, 5], "piece {}"):
            pass
        refused = pytest.raises(ZslpipeError, match=f"piece 4 of .* is being written by process {pid}")
        with refused, claim(lock, [2, 4], "piece {}"):
            pass
        with claim(lock, [2], "piece {}"):  # a refused claim holds nothing
            pass
    finally:
        end(pid)
    with claim(lock, [3, 4], "piece {}"):
        pass
    assert lock.read_bytes() == b""


def test_a_forked_child_does_not_keep_its_parents_claim(tmp_path):
    """A decoding worker may outlive, for a moment, the writer that was killed."""
    lock = tmp_path / ".lock"
    pid_file = tmp_path / "worker"

    def work(ready):
        with claim(lock, [0], "piece {}"):
            worker = os.fork()
            if worker == 0:
                time.sleep(60)
            pid_file.write_text(str(worker))
            ready()
            time.sleep(60)

    end(in_child(work))
    worker = int(pid_file.read_text())
    try:
        with claim(lock, [0], "piece {}"):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_child_may_not_write_what_its_parent_claims(tmp_path):
    lock = tmp_path / ".lock"
    with claim(lock, [0], "piece {}"):
        pid = os.fork()
        if pid == 0:
            try:
                with claim(lock, [0], "piece {}"):
                    os._exit(0)
            except ZslpipeError as refused:
                os._exit(7 if f"by process {os.getppid()}:" in str(refused) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_two_writers_in_one_process_are_told_apart(tmp_path):
    lock = tmp_path / ".lock"
    with claim(lock, [0], "piece {}"):
        refused = pytest.raises(ZslpipeError, match=f"this process .process {os.getpid()}")
        with refused, claim(tmp_path / "." / ".lock", [0], "piece {}"):
            pass
        with claim(lock, [1], "piece {}"):
            pass
        pid = in_child(lambda ready: ready())  # the lock survives files that others open and close
        os.waitpid(pid, 0)
        with pytest.raises(ZslpipeError), claim(lock, [0], "piece {}"):
            pass


def test_two_processes_never_write_one_piece(tmp_path, make, fill):
    path = make(tmp_path / "s").path

    def work(ready):
        store = FeatureStore.open(path)
        with store.claim([0, 1]) as missing:
            fill(store, missing[:1])
            ready()
            time.sleep(60)

    pid = in_child(work)
    store = FeatureStore.open(path)
    try:
        with pytest.raises(ZslpipeError, match=f"piece 1 of .*process {pid}: wait"):
            fill(store, [1])
        with pytest.raises(ZslpipeError, match="piece 0"), store.claim([2, 0]):
            pass
        fill(store, [2])
    finally:
        end(pid)
    with store.claim([0, 1, 2, 3]) as missing:
        assert missing == [1, 3]  # what the other had finished is not redone
        fill(store, missing)
    assert store.complete


def test_one_of_two_writers_that_finish_together_marks_the_store(tmp_path, make, fill):
    store = make(tmp_path / "s")
    with claim(store.path / ".lock", [CREATION], "the completion mark"):
        fill(store)  # as if another process were marking the store now
    assert store.complete
    assert not (store.path / "complete.json").exists()
    store.finish()
    assert (store.path / "complete.json").exists()


def test_a_folder_that_cannot_be_written_is_reported(tmp_path):
    with pytest.raises(ZslpipeError, match="could not lock"), claim(tmp_path / "gone" / ".lock", [0], "piece {}"):
        pass
