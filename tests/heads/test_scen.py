"""SCEN and SC-EGG against their formulas written out, and what their stages may change."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from zslpipe.errors import InputError
from zslpipe.heads import Attributes
from zslpipe.heads.sc_egg import Guidance, ScEgg
from zslpipe.heads.scen import Scen
from zslpipe.parts.embedding_stages import EmbeddingSettings, EmbeddingTraining
from zslpipe.parts.own_learner import cast_to
from zslpipe.parts.problem import Problem
from zslpipe.parts.semantic_compression import EmbeddingNet
from zslpipe.parts.task import Task
from zslpipe.store.layout import TapSpec
from zslpipe.store.rows import take
from zslpipe.training import At, Batch, checkpoints
from zslpipe.training.placed import Placed

sys.path.insert(0, str(Path(__file__).parent))
import literal_scen as literal

B, R, D, A, W, C = 6, 5, 8, 7, 3, 5
SEEN = np.array([0, 1, 3])
CPU = torch.device("cpu")
QUICK: dict[str, Any] = {
    "device": "cpu",
    "batch": 8,
    "epochs": 2,
    "correspondence_epochs": 2,
}
QUICK_EGG: dict[str, Any] = QUICK | {
    "embedding_epochs": 2,
    "hidden": 8,
    "synthetic": 5,
    "classifier_epochs": 2,
    "every": 1,
}


def net_of(reading: str) -> EmbeddingNet:
    torch.manual_seed(0)
    net = EmbeddingNet(Problem({"region": TapSpec((R, D))}, A, W, C), reading)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in (net.words, net.alpha):
            parameter.normal_()
    return net


def batch() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    regions = torch.randn(B, R, D, generator=random)
    return regions, torch.tensor([0, 1, 2, 2, 1, 0]), torch.rand(C, A, generator=random)


def training_of(net: EmbeddingNet, **settings: Any) -> tuple[EmbeddingTraining, Batch]:
    regions, labels, semantics = batch()
    task = Task(semantics, torch.from_numpy(SEEN), None)
    rows = Placed({"region": regions.numpy()}, ("region",), CPU)
    of = EmbeddingSettings(reading=net.reading, **settings)
    training = EmbeddingTraining(net, of, rows, labels, task, 4, 1e-3, 0, cast_to("float32", CPU))
    return training, Batch({"region": regions}, labels, np.arange(B))


AT = At("embedding", 0, 1, 0, 1)


@pytest.mark.parametrize("reading", ["paper", "released"])
def test_stage_one_is_that_of_the_paper(reading: str) -> None:
    net = net_of(reading)
    training, given = training_of(net)
    regions, labels, semantics = batch()
    seen = torch.from_numpy(SEEN)
    expected = literal.embedding_loss(net, regions, seen[labels], semantics, seen)
    found = torch.stack(list(training.embedding(given, AT).values())).sum()
    torch.testing.assert_close(found, expected)
    weights = [p for name, p in net.named_parameters() if not name.startswith("distilled")]
    for one, other in zip(torch.autograd.grad(found, weights), torch.autograd.grad(expected, weights)):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("reading", ["paper", "released"])
def test_stage_two_is_that_of_the_paper_and_trains_only_the_global_part(reading: str) -> None:
    net = net_of(reading)
    training, given = training_of(net)
    expected = literal.correspondence_loss(net, given.inputs["region"], batch()[2])
    found = training.correspondence(given, AT)["correspondence"]
    torch.testing.assert_close(found, expected)
    stages = list(training.stages(1, "none"))
    assert [stage.name for stage in stages] == ["embedding", "correspondence"]
    before = {name: p.clone() for name, p in net.named_parameters()}
    stages[1].learner.step(given, AT)
    changed = {name.split(".")[0] for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert changed == ({"compression", "classifier"} if reading == "paper" else {"distilled"})


@pytest.mark.parametrize("reading", ["paper", "released"])
def test_g_is_that_of_the_paper(reading: str) -> None:
    net = net_of(reading)
    regions = batch()[0]
    torch.testing.assert_close(net.dense(regions), literal.compressed(net, literal.attended(net, regions)))


def test_the_released_classifier_reads_scaled_features() -> None:
    net = net_of("released")
    training, _ = training_of(net)
    list(training.stages(1, "none"))
    g = training.dense()
    assert torch.equal(net.low, g.amin(0))
    assert net.distilled is not None
    torch.testing.assert_close(net.global_scores(g), net.distilled((g - g.amin(0)) / (g.amax(0) - g.amin(0))))


def test_without_its_weight_there_is_no_second_stage() -> None:
    training, _ = training_of(net_of("paper"), correspondence_weight=0.0)
    assert [stage.name for stage in training.stages(1, "none")] == ["embedding"]


class Data:
    """Images of nine classes, six of them seen."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.semantics = rng.uniform(0.1, 1, size=(9, A)).astype(np.float32)
        self.labels = np.repeat(np.arange(6), 6)
        regions = 0.1 * rng.normal(size=(36, R, D))
        regions[:, 2] += ((self.semantics - self.semantics.mean(0)) @ rng.normal(size=(A, D)))[self.labels]
        self.features = {"region": regions.astype(np.float32)}
        self.attributes = Attributes(tuple("abcdefg"), rng.normal(size=(A, W)).astype(np.float32))

    def fit(self, head: Any) -> Any:
        return head.fit(self.features, self.labels, self.semantics, self.attributes)


def test_scores_and_curves_of_scen() -> None:
    data = Data()
    head = data.fit(Scen(**QUICK))
    e = head.predict_semantics(data.features)
    a = data.semantics / np.linalg.norm(data.semantics, axis=1, keepdims=True)
    np.testing.assert_allclose(head.decision_function(data.features, data.semantics), e @ a.T, rtol=1e-4, atol=1e-5)
    assert set(head.record()["losses"]) == {"embedding: local", "embedding: global", "correspondence: correspondence"}
    assert head.embed(data.features).shape == (36, D)
    np.testing.assert_allclose(head.attention(data.features).sum(1), 1, rtol=1e-5)


def test_attention_starts_uniform() -> None:
    net = EmbeddingNet(Problem({"region": TapSpec((R, D))}, A, W, C))
    torch.testing.assert_close(net.attention(batch()[0]), torch.full((B, R, A), 1 / R))


@pytest.mark.parametrize("head", [Scen(**QUICK), ScEgg(**QUICK_EGG)])
def test_word_vectors_are_needed(head: Any) -> None:
    data = Data()
    with pytest.raises(InputError, match="needs word vectors of the attributes"):
        head.fit(data.features, data.labels, data.semantics)


@pytest.mark.parametrize("reading", ["paper", "released"])
def test_sc_egg_generates_g(reading: str) -> None:
    data = Data()
    head = data.fit(ScEgg(**QUICK_EGG, reading=reading))
    g = head.module_.embedding.dense(torch.from_numpy(data.features["region"])).detach()
    gan = head.module_.gan
    torch.testing.assert_close(gan.offset, g.mean(0))
    kept = gan.unscaled(torch.from_numpy(head.seen_.features).float())
    torch.testing.assert_close(kept, g, atol=2e-3, rtol=2e-3)  # kept in half precision
    terms = {name.removeprefix("generator: ") for name in head.record()["losses"] if name.startswith("generator")}
    assert {"seen", "unseen", "critic", "kl"} <= terms


def test_guidance_is_the_cross_entropy_of_cls_g() -> None:
    data = Data()
    head = data.fit(ScEgg(**QUICK_EGG, seen_weight=0.3, unseen_weight=0.0))
    task = Task(torch.from_numpy(data.semantics), torch.arange(6), None)
    made, labels = torch.rand(4, D), torch.tensor([0, 5, 2, 2])
    terms = Guidance(head, task, torch.tensor([6, 7, 8]))(made, labels)
    scores = head.module_.embedding.classifier(head.module_.gan.unscaled(made))
    torch.testing.assert_close(terms["seen"], 0.3 * cross_entropy(scores, labels))
    assert set(terms) == {"seen"}
    head.seen_weight, head.unseen_weight = 0.0, 0.2
    torch.manual_seed(0)
    (found,) = Guidance(head, task, torch.tensor([6, 7, 8]))(made, labels).values()
    torch.manual_seed(0)
    chosen = torch.tensor([6, 7, 8])[torch.randint(3, (4,))]
    gan = head.module_.gan
    unseen = gan.unscaled(gan.generator(torch.randn(4, A), gan.conditions(task.semantics)[chosen]))
    torch.testing.assert_close(found, 0.2 * cross_entropy(head.module_.embedding.classifier(unseen), chosen))


def test_an_interrupted_sc_egg_goes_on_in_any_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Data()
    whole = data.fit(ScEgg(**QUICK_EGG))
    expected = whole.decision_function(data.features, data.semantics)
    from zslpipe.parts import adversarial
    from zslpipe.training.learner import Descent

    class Interrupted(Exception):
        pass

    def after(steps: int) -> None:
        left = iter(range(steps))
        for cls in (Descent, adversarial.Adversarial):
            step = original[cls]

            def counted(self: Any, *args: Any, step: Any = step) -> Any:
                if next(left, None) is None:
                    raise Interrupted
                return step(self, *args)

            monkeypatch.setattr(cls, "step", counted)

    original = {cls: cls.step for cls in (Descent, adversarial.Adversarial)}
    with checkpoints(tmp_path, every_s=0):
        for steps in (3, 9, 12):  # in stage 1, stage 2 and stage 3
            after(steps)
            with pytest.raises(Interrupted):
                data.fit(ScEgg(**QUICK_EGG))
        after(10**6)
        resumed = data.fit(ScEgg(**QUICK_EGG))
    np.testing.assert_array_equal(resumed.decision_function(data.features, data.semantics), expected)
    assert resumed.record() == whole.record()


def test_rows_without_company() -> None:
    data = Data()
    head = data.fit(ScEgg(**QUICK_EGG))
    score = head.bind(data.semantics)
    np.testing.assert_allclose(
        score(take(data.features, np.array([4, 4]))), score(data.features)[[4, 4]], rtol=1e-4, atol=1e-5
    )


def test_half_precision_survives_in_every_stage() -> None:
    data = Data()
    head = data.fit(ScEgg(**QUICK_EGG, precision="bfloat16"))
    assert np.isfinite(head.decision_function(data.features, data.semantics)).all()
    losses = data.fit(ScEgg(**QUICK_EGG)).record()["losses"]
    for name, values in head.record()["losses"].items():
        if name.startswith(("embedding", "correspondence")):
            assert values == pytest.approx(losses[name], rel=0.05, abs=0.02), name
