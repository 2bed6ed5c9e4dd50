"""Training: the loop, samplers, checkpoints and seeds."""

from zslpipe.training.checkpoint import Checkpoint, checkpoint_for, checkpoints
from zslpipe.training.loop import Batches, Epoch, train
from zslpipe.training.samplers import ClassBalanced, Episodes, Shuffled
from zslpipe.training.seeds import OwnRandom

__all__ = [
    "Batches",
    "Checkpoint",
    "ClassBalanced",
    "Episodes",
    "Epoch",
    "OwnRandom",
    "Shuffled",
    "checkpoint_for",
    "checkpoints",
    "train",
]
