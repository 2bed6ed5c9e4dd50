"""Groups of attributes ("bill colour"), and the penalties that make groups use different channels."""

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

EPS = 1e-8  # under the root, whose gradient is infinite at zero
NO_GROUP = -1  # of attributes that no penalty counts

# Attributes of datasets whose names do not tell: the first and the last, and each group's ranges (the last excluded).
# From the tables in the public code of GEM-ZSL (github.com/osierboy/GEM-ZSL) and of ReZSL-TIP23.
Range = tuple[int, int]
TABLES: dict[tuple[int, str, str], tuple[tuple[Range, ...], ...]] = {
    (85, "black", "domestic"): (  # AWA1 and AWA2: colour, texture, shape, body parts, behaviour, ..., character
        ((0, 8),),
        ((8, 14),),
        ((14, 18),),
        ((18, 34), (44, 46)),
        ((34, 44),),
        ((46, 51),),
        ((51, 63),),
        ((63, 78),),
        ((78, 85),),
    ),
    (102, "sailing/ boating", "stressful"): (  # SUN: functions, materials, surface and light, space
        ((0, 36),),
        ((36, 74), (80, 81), (99, 100)),
        ((74, 80), (81, 85)),
        ((85, 99), (100, 102)),
    ),
}
# Body parts of birds by words of the names before the colon, as APN has them. Its file with the members of each is not
# public any more, so which attributes belong to a part is read from their names; the rest are of no part.
PARTS = {
    "head": ("bill", "head", "throat", "eye", "forehead", "nape", "crown"),
    "breast": ("breast",),
    "belly": ("belly",),
    "wing": ("wing",),
    "tail": ("tail",),
    "leg": ("leg",),
}


def attribute_groups(names: Sequence[str], parts: bool = False) -> list[int]:
    """The group of each attribute, counted from 0.

    Groups are what stands before the colon of the names ("has_eye_color::red"), or those of a public table for the
    attributes of AWA and SUN; attributes of neither kind form one group, with a warning.

    Args:
        names: of the attributes.
        parts: use body parts instead, if names before colons contain them ("has_eye_color" is of the head); attributes
            of no part get `NO_GROUP`.
    """
    heads = [name.partition(":")[0] if ":" in name else "" for name in names]
    if parts:
        words = [set(head.lower().replace("_", " ").split()) for head in heads]
        found = [next((i for i, of in enumerate(PARTS.values()) if w & set(of)), NO_GROUP) for w in words]
        present = sorted(set(found) - {NO_GROUP})
        if len(present) > 1:
            return [present.index(i) if i != NO_GROUP else NO_GROUP for i in found]
    if names and (table := TABLES.get((len(names), names[0].strip(), names[-1].strip()))):
        return [next(g for g, rs in enumerate(table) if any(a <= i < b for a, b in rs)) for i in range(len(names))]
    known = list(dict.fromkeys(heads))
    if len(known) == 1:
        warnings.warn(
            "all attributes form one group, so that nothing sets groups of them apart: "
            "name them like 'colour: red' to have groups.",
            stacklevel=2,
        )
    return [known.index(head) for head in heads]


def group_norms(vectors: Tensor, groups: Tensor, count: int, by_channel: bool = True) -> Tensor:
    """Euclidean norms of the vectors (A, C) of each group: (groups, C) by channel, else (groups,) of full blocks."""
    member = groups != NO_GROUP
    squares = vectors.new_zeros(count, vectors.shape[1]).index_add(
        0, groups.clamp_min(0), vectors.square() * member[:, None]
    )
    if not by_channel:
        squares = squares.sum(1)
    return torch.sqrt(squares + EPS)
