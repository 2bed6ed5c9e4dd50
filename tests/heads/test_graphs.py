"""The graph of a head gives the scores of the head, for any number of images and classes."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.heads.test_every_head import Data, quick
from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Head
from zslpipe.parts.problem import Classes

WITHOUT = ["f-clswgan", "gfzsl-softmax", "sc-egg", "tf-vaegan"]  # train a classifier for every list of classes
WITH = sorted(name for name in HEADS if HEADS[name].graph is not Head.graph and name not in WITHOUT)


def exported(head: Head, data: Data) -> Any:
    """The graph as torch.export follows it, with 4 images and 9 classes as examples."""
    taps = {tap: torch.tensor(np.asarray(data.features[tap][:4], np.float32)) for tap in head.fitted_problem.stored}
    semantics = torch.tensor(data.semantics)
    images, classes = torch.export.Dim("images"), torch.export.Dim("classes")
    program = torch.export.export(
        head.graph().eval(),
        (taps, semantics, torch.zeros(len(semantics), dtype=torch.bool)),
        dynamic_shapes=({tap: {0: images} for tap in taps}, {0: classes}, {0: classes}),
    )
    return program.module()


@pytest.fixture(scope="module")
def data() -> Data:
    return Data()


def agree(head: Head, data: Data) -> None:
    graph, taps = exported(head, data), head.fitted_problem.stored
    new = np.random.default_rng(2).uniform(0.1, 1, size=(4, data.semantics.shape[1])).astype(np.float32)
    for classes in (data.semantics, np.concatenate([data.semantics[2:5], new]), new):
        for rows in (slice(0, 1), slice(0, 30)):
            some = {tap: np.asarray(data.features[tap][rows], np.float32) for tap in taps}
            seen = np.zeros(len(classes), bool)
            expected = head.bind(Classes(classes, seen))(some)
            with torch.inference_mode():
                found = graph({t: torch.tensor(x) for t, x in some.items()}, torch.tensor(classes), torch.tensor(seen))
            np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-4 * expected.std())


@pytest.mark.parametrize("name", WITH)
def test_the_graph_scores_as_the_head(name: str, data: Data) -> None:
    agree(data.fit(HEADS[name](**quick(name))), data)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_classifier_of_fixed_classes_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="classifier for every list of classes"):
        HEADS[name]().graph()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("eszsl", {"feature_scaling": "standard", "semantic_scaling": "raw"}),
        ("gfzsl", {"seen_means": "posterior", "prior": "counts"}),
        ("gfzsl", {"seen_means": "measured", "kernel": "linear", "unit": False, "balanced": False}),
        ("dense-attention-ae", {"similarity": "dot"}),
        ("attention-net", {"branch": "global"}),
        ("attention-net", {"mode": "tail"}),
        ("bsnet", {"binary": False}),
    ],
)
def test_settings_that_change_the_graph(name: str, settings: dict[str, Any], data: Data) -> None:
    agree(data.fit(HEADS[name](**{**quick(name), **settings})), data)


def test_what_a_graph_cannot_hold_is_refused(data: Data) -> None:
    head = data.fit(HEADS["gfzsl"](covariance="per-class"))
    with pytest.raises(InputError, match="covariance=shared"):
        head.graph()
