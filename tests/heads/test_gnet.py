"""GNet's task losses are those of a literal loop, and meta-learning is a stage of its own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from zslpipe.heads import HEADS
from zslpipe.heads.gnet import GNet, Predictor
from zslpipe.parts.task import Task
from zslpipe.training import Batch
from zslpipe.training.meta import MetaLearner

S, EACH, A, K = 6, 9, 4, 5
RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(S), EACH)
SEMANTICS = RNG.uniform(0.1, 1, size=(S + 2, A)).astype(np.float32)
FEATURES = (SEMANTICS[LABELS] @ RNG.normal(size=(A, K)) + 0.1 * RNG.normal(size=(len(LABELS), K))).astype(np.float32)
SETTINGS = {"base_epochs": 1, "epochs": 2, "task_ways": 2, "tasks": 3, "device": "cpu"}


def fitted(**settings: object) -> GNet:
    head = HEADS["gnet"](**{**SETTINGS, **settings})
    assert isinstance(head, GNet)
    return head.fit({"global": FEATURES}, LABELS, SEMANTICS)


def literal(net: Predictor, x: torch.Tensor, labels: torch.Tensor, semantics: torch.Tensor, head: GNet) -> torch.Tensor:
    """The validation losses of tasks with two ways, one task after another, by plain autograd."""
    losses = []
    for xt, yt in zip(x.split(2 * 8), labels.split(2 * 8)):
        sides = [(xt[:10], yt[:10]), (xt[10:], yt[10:])]
        weights = list(net.layers.parameters())
        for features, y in sides:
            classes = list(dict.fromkeys(y.tolist())) if head.task_softmax == "task" else list(range(S))
            predicted = F.linear(features * net.scale, weights[0], weights[1])
            targets = torch.tensor([classes.index(int(one)) for one in y])
            loss = F.cross_entropy(predicted @ semantics[classes].T, targets)
            slopes = torch.autograd.grad(loss, weights, create_graph=True) if features is sides[0][0] else ()
            weights = [w - head.inner_rate * g for w, g in zip(weights, slopes)]
        losses.append(loss)
    return torch.stack(losses).sum()


@pytest.mark.parametrize("softmax", ["task", "seen"])
def test_the_objective_is_that_of_a_literal_loop(softmax: str) -> None:
    head = fitted(task_softmax=softmax, inner_rate=0.5)
    semantics = torch.tensor(SEMANTICS)
    task = Task(semantics, torch.arange(S), None)
    labels = torch.tensor(LABELS)
    stage = head.meta_stage(head.module_, None, labels, task, 1)  # type: ignore[arg-type]
    learner = stage.learner
    assert isinstance(learner, MetaLearner)
    index = next(learner.tasks.epoch(0))
    batch = Batch({"global": torch.tensor(FEATURES[index])}, labels[index], index)
    ours, theirs = (
        learner.objective(batch),
        literal(head.module_, batch.inputs["global"], batch.labels, semantics, head),
    )
    torch.testing.assert_close(ours, theirs)
    weights = list(head.module_.layers.parameters())
    for one, other in zip(torch.autograd.grad(ours, weights), torch.autograd.grad(theirs, weights)):
        torch.testing.assert_close(one, other)


def test_stages() -> None:
    assert set(fitted().record()["losses"]) == {"base: ce", "meta: meta"}
    assert set(fitted(meta="none").record()["losses"]) == {"ce"}
    features = {"global": FEATURES}
    second, first = (
        fitted(meta=f"{order}-order").decision_function(features, SEMANTICS) for order in ("second", "first")
    )
    assert not np.array_equal(second, first)
