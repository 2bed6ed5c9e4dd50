"""Times on a device: what is launched is waited for."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch


def wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], Any], device: str, repeats: int = 10, warm: int = 3) -> float:
    """The median duration of `work`, once it is warm."""
    taken = []
    for repeat in range(warm + repeats):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        if repeat >= warm:
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def captured(work: Callable[[], Any], device: str) -> Callable[[], None]:
    """`work` as a CUDA graph: launched at once instead of kernel by kernel. Its inputs and outputs stay where they are.

    Raises:
        RuntimeError: without a GPU, or if `work` waits for the device or allocates in a way that cannot be replayed.
    """
    if not device.startswith("cuda"):
        raise RuntimeError("CUDA graphs need a GPU")
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def peak_gib(device: str) -> float | None:
    """GiB of the device's memory that torch has held at most since `forget_peak`; None for a CPU."""
    return round(torch.cuda.max_memory_allocated(device) / 2**30, 2) if device.startswith("cuda") else None


def forget_peak(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
