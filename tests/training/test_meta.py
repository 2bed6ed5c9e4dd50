"""Meta-learning: its gradient is the one derived by hand, and the classes of a task are disjoint."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from zslpipe.errors import InputError
from zslpipe.training import At, Batch
from zslpipe.training.meta import MetaLearner, Order, Tasks, Weights

ALPHA, BETA, WIDTH = 0.3, 0.1, 3
LABELS = np.repeat(np.arange(6), [9, 2, 5, 7, 6, 8])


def squared(weights: Weights, x: Tensor, y: Tensor) -> Tensor:
    return (x @ weights["weight"][0] - y).square().mean() / 2


def by_hand(theta: np.ndarray, x: np.ndarray, y: np.ndarray, shots: int, order: Order, steps: int) -> np.ndarray:
    """Of 1/2 mean (X theta - y)^2: each virtual step has the Jacobian I - alpha X^T X / n."""
    train, test = (x[:shots], y[:shots]), (x[shots:], y[shots:])
    jacobian = np.eye(len(theta))
    for _ in range(steps):
        theta = theta - ALPHA * train[0].T @ (train[0] @ theta - train[1]) / shots
        jacobian = (np.eye(len(theta)) - ALPHA * train[0].T @ train[0] / shots) @ jacobian
    slope: np.ndarray = test[0].T @ (test[0] @ theta - test[1]) / len(test[1])
    return jacobian.T @ slope if order == "second-order" else slope


@pytest.mark.parametrize("order", ["second-order", "first-order"])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_step_is_the_one_derived_by_hand(order: Order, steps: int) -> None:
    tasks = Tasks(LABELS, tasks=4, ways=2, shots=3, queries=2, seed=0)
    module = nn.Linear(WIDTH, 1, bias=False).double()
    learner = MetaLearner(module, SGD(module.parameters(), BETA), squared, tasks, "global", ALPHA, order, steps)
    index = next(tasks.epoch(0))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(len(LABELS), WIDTH))[index], rng.normal(size=len(LABELS))[index]
    theta = module.weight.detach().numpy()[0].copy()
    of_tasks = zip(x.reshape(4, 10, WIDTH), y.reshape(4, 10), strict=True)
    expected = theta - BETA * sum(by_hand(theta, *task, 6, order, steps) for task in of_tasks)
    batch = Batch({"global": torch.tensor(x)}, torch.tensor(y), index)
    learner.step(batch, At("meta", 0, 1, 0, 1))
    np.testing.assert_allclose(module.weight.detach().numpy()[0], expected, rtol=1e-10)


def test_parameters_of_other_optimisers_stay() -> None:
    tasks = Tasks(LABELS, 1, 2, 3, 2, 0)
    module = nn.ModuleDict({"body": nn.Linear(WIDTH, WIDTH), "head": nn.Linear(WIDTH, 1)})
    before = {name: value.clone() for name, value in module.state_dict().items()}

    def loss(weights: Weights, x: Tensor, y: Tensor) -> Tensor:
        return (x @ weights["head.weight"][0] + weights["head.bias"][0] - y).square().mean()

    learner = MetaLearner(module, SGD(module["head"].parameters(), BETA), loss, tasks, "global", ALPHA)
    index = next(tasks.epoch(0))
    learner.step(Batch({"global": torch.randn(10, WIDTH)}, torch.randn(10), index), At("meta", 0, 1, 0, 1))
    changed = {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


@pytest.mark.parametrize(("ways", "used"), [(2, 2), (3, 3), (10, 3)])
def test_the_sides_of_a_task_have_other_classes(ways: int, used: int) -> None:
    tasks = Tasks(LABELS, tasks=2, ways=ways, shots=5, queries=3, seed=1)
    assert tasks.ways == used
    batches = list(tasks.epoch(0))
    assert len(batches) == len(tasks)
    for index in batches:
        for task in LABELS[index].reshape(2, used * 8):
            train, test = task[: used * 5].reshape(used, 5), task[used * 5 :].reshape(used, 3)
            assert (train == train[:, :1]).all()
            assert (test == test[:, :1]).all()
            assert len({*train[:, 0], *test[:, 0]}) == 2 * used


def test_a_class_repeats_images_only_if_it_must() -> None:
    tasks = Tasks(LABELS, tasks=1, ways=3, shots=5, queries=3, seed=0)
    for index in tasks.epoch(3):
        for c in range(6):
            drawn = index[LABELS[index] == c]
            assert len(set(drawn)) == min(len(drawn), np.sum(LABELS == c))


def test_one_class_is_not_enough() -> None:
    with pytest.raises(InputError, match="at least two classes"):
        Tasks(np.zeros(5, int), 1, 10, 5, 3, 0)
