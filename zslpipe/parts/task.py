"""What the loss terms of a head see of the training data: the classes of the task, and the inputs of a batch."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zslpipe.errors import InputError
from zslpipe.parts.problem import Attributes

Inputs = Mapping[str, Tensor]  # tap name to (B, ...) float32


@dataclass(frozen=True, eq=False)
class Task:
    """The classes to train on, on the head's device.

    Attributes:
        semantics: (C, A) of all classes passed to `fit`.
        seen: (S,) classes with training images; labels of batches are indices into this list.
        attributes: names and word vectors of the semantics' columns.
    """

    semantics: Tensor
    seen: Tensor
    attributes: Attributes | None

    @property
    def seen_semantics(self) -> Tensor:
        """(S, A)"""
        return self.semantics[self.seen]

    @property
    def words(self) -> Tensor:
        """(A, W) word vectors of the attributes."""
        vectors = None if self.attributes is None else self.attributes.vectors
        if vectors is None:
            raise InputError("there are no word vectors of the attributes.")
        return torch.as_tensor(vectors, dtype=torch.float32, device=self.semantics.device)
