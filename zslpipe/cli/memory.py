"""The allocator setting of the commands that extract features or train."""

import ctypes
import os

from zslpipe.memory import memory_bytes

PLENTY = 8 << 30  # with less memory than this, pages go back to the system at once
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next batch, in this process and until it ends.

    By default glibc maps every block above 32 MiB anew and unmaps it when freed, so each large activation of each
    batch costs a page fault per 4 KiB: a third of the time of a ResNet's forward pass on a CPU. Peak memory is larger
    by what small blocks break up, so nothing is done if this process may use less than 8 GiB. Only commands call this:
    a library must not change the process that imports it. ZSLPIPE_MALLOC=0 turns it off; other C libraries are not
    changed.
    """
    if os.environ.get("ZSLPIPE_MALLOC") == "0" or 0 < memory_bytes() < PLENTY:
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    if not mallopt(M_MMAP_THRESHOLD, 1 << 30):
        mallopt(M_MMAP_THRESHOLD, 1 << 25)  # the maximum of older versions
    mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
