"""The allocator setting of commands: glibc keeps freed memory where there is plenty, and gives it back where not."""

import os

from zslpipe.memory import memory_bytes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
PLENTY = 8 << 30  # bytes that this process may use


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next batch, in this process and those that it starts, if there is plenty.

    By default glibc maps every block above 32 MiB anew and unmaps it when freed, so each large activation of each
    batch costs a page fault per 4 KiB: a third of the time of a ResNet's forward pass on a CPU. Only commands call
    this: a library must not change the process that imports it. ZSLPIPE_MALLOC=0 turns it off; other C libraries are
    not changed.
    """
    if not _is_scarce() and os.environ.get("ZSLPIPE_MALLOC") != "0":
        highest = 1 << 30
        if not _mallopt(M_MMAP_THRESHOLD, highest):
            highest = 1 << 25  # of older versions
            _mallopt(M_MMAP_THRESHOLD, highest)
        _mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
        os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(highest))
        os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str((1 << 31) - 1))


def return_freed_memory() -> None:
    """Make glibc give every block of a MiB or more back when it is freed, in this process and those that it starts.

    Done only where this process may use less than 8 GiB. Before version 2.38 glibc does not find freed blocks of the
    alignment that torch asks for again, so that memory grows with every batch (its bug 14581).
    """
    if _is_scarce() and os.environ.get("ZSLPIPE_MALLOC") != "0":
        os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 20))
        _mallopt(M_MMAP_THRESHOLD, 1 << 20)


def _is_scarce() -> bool:
    return 0 < memory_bytes() < PLENTY


def _mallopt(what: int, value: int) -> bool:
    import ctypes  # imported here: every command loads this file, few change the allocator

    try:
        return bool(ctypes.CDLL(None).mallopt(what, value))
    except (OSError, AttributeError, TypeError):
        return False
