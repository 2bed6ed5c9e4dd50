"""Training: learners and stages, the loop, batches, samplers, checkpoints and seeds."""

from zslpipe.training.batches import Batch, RowBatches
from zslpipe.training.checkpoint import Checkpoint, checkpoint_for, checkpoints
from zslpipe.training.learner import At, Batches, Descent, Learner, Stage, Stops, total_of
from zslpipe.training.loop import Epoch, train
from zslpipe.training.samplers import ClassBalanced, Episodes, Independent, Sampler, Shuffled
from zslpipe.training.seeds import OwnRandom

__all__ = [
    "At",
    "Batch",
    "Batches",
    "Checkpoint",
    "ClassBalanced",
    "Descent",
    "Episodes",
    "Epoch",
    "Independent",
    "Learner",
    "OwnRandom",
    "RowBatches",
    "Sampler",
    "Shuffled",
    "Stage",
    "Stops",
    "checkpoint_for",
    "checkpoints",
    "total_of",
    "train",
]
