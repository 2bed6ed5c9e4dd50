"""Copies between host and device that run beside the computing."""

from collections.abc import Iterable

import torch
from torch import Tensor


class Transfers:
    """On a GPU, uploads and downloads have streams of their own: a batch computes while its neighbours are copied.

    Elsewhere copies happen where they are asked for.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self.cuda = device, device.type == "cuda"
        if self.cuda:
            self.incoming, self.outgoing = torch.cuda.Stream(device), torch.cuda.Stream(device)

    def upload(self, images: Tensor) -> Tensor:
        """`images`, in pinned memory for a GPU, on the device; what is computed next waits for them."""
        if not self.cuda:
            return images.to(self.device)
        computing = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self.incoming):
            there = images.to(self.device, non_blocking=True)
        computing.wait_stream(self.incoming)
        there.record_stream(computing)  # its memory is not to be reused before the computing is over
        return there

    def download(self, pairs: Iterable[tuple[Tensor, Tensor]]) -> "torch.cuda.Event | None":
        """Copy each (host, device) pair to the host; the event tells when all have arrived, None that they have."""
        if not self.cuda:
            for here, there in pairs:
                here.copy_(there)
            return None
        arrived = torch.cuda.Event()
        self.outgoing.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.outgoing):
            for here, there in pairs:
                here.copy_(there, non_blocking=True)
                there.record_stream(self.outgoing)
            arrived.record()
        return arrived
