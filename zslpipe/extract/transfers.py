"""Copies between host and device that overlap with computation."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Transfers:
    """On a GPU, uploads and downloads use their own streams: a batch computes while its neighbours are copied.

    On other devices copies are synchronous.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.cuda = device, device.type == "cuda"
        if self.cuda:
            self.incoming, self.outgoing = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def upload(self, images: Tensor) -> Tensor:
        """`images` (pinned, for a GPU) on the device; later computation waits for the copy."""
        if not self.cuda:
            return images.to(self.device)
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.incoming):
            uploaded = images.to(self.device, non_blocking=True)
        computing.wait_stream(self.incoming)
        uploaded.record_stream(computing)  # keeps its memory from being reused too early
        return uploaded

    def download(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> "torch.cuda.Event | None":
        """Copy each (host, device) pair to the host. The event signals completion; None means that it is done."""
        if not self.cuda:
            for host, device in pairs:
                host.copy_(device)
            return None
        done = torch.cuda.Event()
        self.outgoing.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.outgoing):
            for host, device in pairs:
                host.copy_(device, non_blocking=True)
                device.record_stream(self.outgoing)
            done.record()
        return done
