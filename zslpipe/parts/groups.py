"""Groups of attributes ("bill colour"), and the penalties that make groups use different channels."""

from collections.abc import Sequence

import torch
from torch import Tensor

EPS = 1e-8  # under the root, whose gradient is infinite at zero


def attribute_groups(names: Sequence[str]) -> list[int]:
    """The group of each attribute, counted from 0: the part of its name before the colon ("has_eye_color::red").

    Names without a colon form one group.
    """
    heads = [name.partition(":")[0] if ":" in name else "" for name in names]
    known = list(dict.fromkeys(heads))
    return [known.index(head) for head in heads]


def group_norms(vectors: Tensor, groups: Tensor, count: int, by_channel: bool = True) -> Tensor:
    """Euclidean norms of the vectors (A, C) of each group: (groups, C) by channel, else (groups,) of full blocks."""
    squares = vectors.new_zeros(count, vectors.shape[1]).index_add(0, groups, vectors.square())
    if not by_channel:
        squares = squares.sum(1)
    return torch.sqrt(squares + EPS)
