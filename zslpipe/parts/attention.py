"""Attention of attributes over regions and its linear read-out, without any (B, A, C) tensor."""

import torch
from torch import Tensor

from zslpipe.errors import InputError


def attend(regions: Tensor, queries: Tensor, readout: Tensor) -> tuple[Tensor, Tensor]:
    """Read attended regions: (B, A) values sum_r a_bra <x_br, u_a> and the attention a (B, R, A) itself.

    With attention a_bra = softmax_r <x_br, t_a>, the read-out of the attended feature is
    <sum_r a_bra x_br, u_a> = sum_r a_bra <x_br, u_a>: both products with the regions come before the sum over them,
    in one matrix product.

    Args:
        regions: x (B, R, C).
        queries: t (A, C), in the regions' space.
        readout: u (A, C).
    """
    batch, count, width = regions.shape
    both = torch.cat([queries, readout])  # (2A, C)
    products = torch.mm(regions.reshape(batch * count, width), both.T).view(batch, count, len(both))
    logits, values = products.split(len(queries), -1)
    attention = _softmax_over_regions(logits)
    return (attention * values).sum(1), attention


def region_attention(regions: Tensor, queries: Tensor) -> Tensor:
    """Only the attention (B, R, A)."""
    return _softmax_over_regions(regions @ queries.T)


def _softmax_over_regions(logits: Tensor) -> Tensor:
    """For (B, R, A); logits can exceed 10, so never in half precision."""
    return logits.softmax(1, dtype=torch.promote_types(logits.dtype, torch.float32))


def grid_positions(count: int, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Row and column (R, 2) of `count` regions in a grid (height, width), and which regions (R,) lie in it.

    Regions before the grid (a ViT's class token) have no position.
    """
    extra = count - grid[0] * grid[1]
    index = torch.arange(grid[0] * grid[1])
    places = torch.stack([index // grid[1], index % grid[1]], 1).float()
    return torch.cat([torch.zeros(extra, 2), places]), torch.arange(count) >= extra


def spread(attention: Tensor, grid: tuple[int, int] | None) -> Tensor:
    """(B, R, A) attention times the squared distance, in grid cells, of each region from the map's peak (CPT).

    Raises:
        InputError: if the grid of the regions is not known.
    """
    count = attention.shape[1]
    if grid is None:
        raise InputError(f"the grid of the {count} regions is unknown: import them with --grid, or set compactness=0.")
    places, inside = grid_positions(count, grid)
    places, inside = places.to(attention.device), inside.to(attention.device)
    squared = torch.cdist(places, places).square() * (inside[:, None] & inside[None, :])  # (R, R)
    peaks = attention.detach().masked_fill(~inside[:, None], -torch.inf).argmax(1)  # (B, A)
    return attention * squared[peaks].transpose(1, 2)
