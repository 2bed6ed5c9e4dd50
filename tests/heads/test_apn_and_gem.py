"""APN's and GEM's losses against loops over samples, regions and groups; groups read from names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zslpipe.errors import InputError
from zslpipe.heads import Attributes
from zslpipe.heads.apn import Apn, PrototypeNet
from zslpipe.heads.gem import GazeNet, Gem
from zslpipe.parts.groups import attribute_groups, group_norms
from zslpipe.parts.problem import Problem
from zslpipe.parts.semantic_head import SemanticHead, SemanticModule
from zslpipe.parts.task import Task
from zslpipe.store.layout import TapSpec

A, C, R, W, S = 6, 10, 9, 4, 5
NAMES = ("has_bill::long", "has_bill::short", "size", "has_eye::red", "has_eye::blue", "has_bill::hooked")


def problem(head: SemanticHead) -> tuple[SemanticModule, dict[str, Tensor], Tensor, Task]:
    """An untrained module with visible weights, a batch, its labels and the task."""
    torch.manual_seed(0)
    words = torch.randn(A, W).numpy()
    task = Task(torch.rand(S, A), torch.arange(S), Attributes(NAMES, words))
    module = head.build(Problem({"region": TapSpec((R, C))}, A, W))
    assert isinstance(module, SemanticModule)
    net = module.net
    assert isinstance(net, (PrototypeNet, GazeNet))
    net.groups.copy_(torch.tensor(attribute_groups(NAMES)))
    net.scale.fill_(0.6)
    if isinstance(net, GazeNet):
        net.words.copy_(task.words)
    return module, {"region": torch.rand(4, R, C)}, torch.tensor([0, 0, 2, 4]), task


def test_groups_are_what_stands_before_the_colon() -> None:
    assert attribute_groups(NAMES) == [0, 0, 1, 2, 2, 0]
    assert attribute_groups(["body: round", "body: tall", "legs: two"]) == [0, 0, 1]
    with pytest.warns(UserWarning, match="all attributes form one group"):
        assert attribute_groups(["black", "furry"]) == [0, 0]


def test_groups_of_awa_and_sun_are_those_of_the_public_table() -> None:
    awa = attribute_groups(["black", *map(str, range(83)), "domestic"])
    assert [awa.count(g) for g in range(9)] == [8, 6, 4, 18, 10, 5, 12, 15, 7]
    assert (awa[43], awa[44], awa[45], awa[46]) == (4, 3, 3, 5)
    sun = attribute_groups(["sailing/ boating", *map(str, range(100)), "stressful"])
    assert [sun.count(g) for g in range(4)] == [36, 40, 10, 16]
    assert (sun[80], sun[99]) == (1, 1)


def test_groups_by_parts_of_the_body_leave_out_what_is_of_none() -> None:
    names = ["has_bill_shape::cone", "has_size::small", "has_upper_tail_color::red", "has_wing_color::red"]
    assert attribute_groups(names, parts=True) == [0, -1, 2, 1]
    assert attribute_groups(["has_size::small", "has_shape::round"], parts=True) == [0, 1]
    vectors = torch.ones(4, 2)
    norms = group_norms(vectors, torch.tensor([0, -1, 2, 1]), 3)
    torch.testing.assert_close(norms, torch.ones(3, 2))


@pytest.mark.real
@pytest.mark.parametrize(("name", "groups"), [("CUB", 28), ("SUN", 4), ("AWA2", 9)])
def test_groups_of_the_real_attributes(data_root: Path, name: str, groups: int) -> None:
    names = (data_root / "attributes" / f"{name}_names.txt").read_text(encoding="utf-8").splitlines()
    assert len(set(attribute_groups(names))) == groups
    if name == "CUB":
        parts = attribute_groups(names, parts=True)
        assert len(set(parts)) == 6 + 1


@pytest.mark.parametrize("by_channel", [True, False])
def test_group_norms_are_the_literal_loop(by_channel: bool) -> None:
    vectors, groups = torch.randn(A, C), attribute_groups(NAMES)
    norms = group_norms(vectors, torch.tensor(groups), 3, by_channel)
    for g in range(3):
        block = vectors[[a for a in range(A) if groups[a] == g]]
        expected = block.norm(dim=0) if by_channel else block.norm()
        torch.testing.assert_close(norms[g], expected, rtol=1e-4, atol=1e-4)


def spread_of(values: Tensor) -> Tensor:
    """One map (R,) times squared distances from its peak."""
    side = int(R**0.5)
    peak = int(values.argmax())
    distance = [(r // side - peak // side) ** 2 + (r % side - peak % side) ** 2 for r in range(R)]
    return values * torch.tensor(distance, dtype=values.dtype)


@pytest.mark.parametrize("pool", ["max", "mean"])
@pytest.mark.parametrize("reading", ["paper", "released"])
def test_apn_is_its_formulas(pool: str, reading: str) -> None:
    head = Apn(
        pool=pool, reading=reading, initial=1.0, scale=1.5, compactness=0.01, embedding_norms=0.2, prototype_norms=0.3
    )
    module, inputs, labels, task = problem(head)
    net = module.net
    assert isinstance(net, PrototypeNet)
    x = 0.6 * inputs["region"]
    response, maps = (torch.einsum("brc,ac->bar", x, bank) for bank in (net.embedding, net.prototypes))
    predicted = response.amax(2) if pool == "max" else response.mean(2)
    local = maps.amax(2)

    def classify(p: Tensor) -> Tensor:
        logits = 1.5 * p @ task.semantics.T
        if reading == "released":
            logits = logits.softmax(1)
        return -logits.log_softmax(1)[range(4), labels].mean()

    target = task.semantics[labels]
    banks = [net.embedding, net.prototypes]
    blocks = [[bank[[a for a in range(A) if net.groups[a] == g]] for g in range(3)] for bank in banks]
    norms = [sum((b.norm(dim=0).sum() if reading == "paper" else b.norm()) for b in bank) for bank in blocks]
    expected = {
        "sce": classify(predicted),
        "local sce": classify(local),
        "mse": 0.01 * (predicted - target).square().mean(),
        "local mse": 0.1 * (local - target).square().mean(),
        "embedding norms": 0.2 * norms[0],
        "prototype norms": 0.3 * norms[1],
        "compactness": 0.01 * sum(spread_of(m).sum() for image in maps.sigmoid() for m in image),
    }
    terms = head.terms(module, inputs, labels, task)
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-4, atol=1e-6, msg=name)
    torch.testing.assert_close(
        head.scores(module, inputs, head.encode(module, task.semantics)), 1.5 * predicted @ task.semantics.T
    )


@pytest.mark.parametrize("regress", ["peaks", "global"])
def test_gem_is_its_formulas(regress: str) -> None:
    head = Gem(regress=regress, centre_semantics=False, query_std=0.5)
    module, inputs, labels, task = problem(head)
    net = module.net
    assert isinstance(net, GazeNet)
    x = 0.6 * inputs["region"]
    queries = task.words @ net.query
    maps = torch.einsum("brc,ac->bar", x, queries).softmax(2)
    predicted = x.mean(1) @ net.predictor.T
    regressed = predicted if regress == "global" else maps.amax(2)
    cosines = torch.cosine_similarity(predicted[:, None], task.semantics[None], dim=2)
    blocks = [queries[[a for a in range(A) if net.groups[a] == g]] for g in range(3)]
    expected = {
        "sce": -(20 * cosines).log_softmax(1)[range(4), labels].mean(),
        "mse": (regressed - task.semantics[labels]).square().mean(),
        "decorrelation": 0.1 * torch.stack([b.norm(dim=0).mean() for b in blocks]).mean(),
        "compactness": 0.2 * torch.stack([spread_of(m) for image in maps for m in image]).mean(),
    }
    terms = head.terms(module, inputs, labels, task)
    assert set(terms) == set(expected)
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, rtol=1e-4, atol=1e-5, msg=name)
    torch.testing.assert_close(
        head.scores(module, inputs, head.encode(module, task.semantics)), 20 * cosines, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("loss", ["sce", "sce+mse", "sce+nmse", "sce+balanced-mse", "sce+remse"])
@pytest.mark.parametrize("kind", [Apn, Gem])
@pytest.mark.parametrize("regions", [49, 197])
def test_they_train_with_every_loss(kind: type[SemanticHead], loss: str, regions: int) -> None:
    rng = np.random.default_rng(0)
    labels, semantics = np.repeat(np.arange(S), 4), rng.uniform(size=(S, A)).astype(np.float32)
    region = rng.normal(size=(20, regions, C)).astype(np.float16)
    attributes = Attributes(NAMES, rng.normal(size=(A, W)).astype(np.float32))
    head = kind(loss=loss, errors="cross_batch", epochs=1, batch=8, device="cpu")
    head.fit({"region": region}, labels, semantics, attributes)
    assert np.isfinite(head.decision_function({"region": region}, semantics)).all()
    shown = head.attention({"region": region})  # type: ignore[attr-defined]
    np.testing.assert_allclose(shown.sum(1), 1, rtol=1e-4)


def test_apn_needs_no_words_and_gem_does() -> None:
    assert Apn().choose_taps(["region"], None) == ("region",)
    with pytest.raises(InputError, match="gem needs word vectors"):
        Gem().choose_taps(["region"], None)
    with pytest.raises(InputError, match="pool"):
        Apn(pool="median")


def test_prototypes_find_the_region_that_matches() -> None:
    module = problem(Apn(initial=1.0))[0]
    net = module.net
    assert isinstance(net, PrototypeNet)
    regions = torch.zeros(1, R, C)
    regions[0, 5] = net.prototypes[2].detach()
    assert net.attention(regions)[0, :, 2].argmax() == 5
