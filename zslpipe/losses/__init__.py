"""Loss functions: pure functions of tensors."""

from zslpipe.losses.balanced_mse import balanced_mse
from zslpipe.losses.diversity import diversity
from zslpipe.losses.mse import mse, nmse
from zslpipe.losses.remse import remse
from zslpipe.losses.sce import cosine_scores, sce, unit

__all__ = ["balanced_mse", "cosine_scores", "diversity", "mse", "nmse", "remse", "sce", "unit"]
