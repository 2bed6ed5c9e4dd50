"""The dense-attention auto-encoder against the paper's formulas; its allocations, variants and symmetries."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.heads.dense_attention_ae import DenseAttention, DenseAttentionAE, basis_of
from zslpipe.parts.class_attention import _Read, attended_scores, gram_gap, parts
from zslpipe.parts.problem import Problem
from zslpipe.parts.task import Task
from zslpipe.store.layout import TapSpec

sys.path.insert(0, str(Path(__file__).parent))
import literal_dense_attention_ae as literal

B, R, D, C, A, UNSEEN = 5, 9, 24, 7, 6, 3


def problem(
    dtype: torch.dtype = torch.float64, classes: int = C, unseen: int = UNSEEN, **settings: Any
) -> tuple[DenseAttentionAE, DenseAttention, Tensor, Tensor, Task]:
    """A head, its untrained module, a batch of regions with labels, and the classes."""
    torch.manual_seed(0)
    head = DenseAttentionAE(**settings)
    module = head.build(Problem({"region": TapSpec((R, D))}, A, classes=classes + unseen)).to(dtype)
    assert isinstance(module, DenseAttention)
    task = Task(torch.rand(classes + unseen, A, dtype=dtype), torch.arange(classes) + unseen, None)
    regions, labels = torch.rand(B, R, D, dtype=dtype), torch.randint(classes, (B,))
    if head.reading != "printed":
        module.region_scale.fill_(1.7)
        module.input_scale.fill_(module.basis.shape[1] ** 0.5)
        if head.centre_latent and not head.encoder_hidden:
            module.latent_centre.fill_(0.5)
        module.centre.copy_(task.seen_semantics.mean(0))
        if module.basis.shape[1] < A:
            module.basis.copy_(basis_of(task.semantics - module.centre))
    return head, module, regions, labels, task


VARIANTS: list[dict[str, Any]] = [
    {},
    {"eta": 0.0},
    {"centre_latent": False},
    {"alpha": 0.0},
    {"coupled": False},
    {"similarity": "dot"},
    {"similarity": "dot", "reading": "printed"},
    {"reading": "printed"},
    {"encoder_hidden": 11},
    {"attention_gain": 30.0},
    {"span": True, "classes": 3, "unseen": 1},
]


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_outputs_and_gradients_are_the_papers(settings: dict[str, Any]) -> None:
    head, module, regions, labels, task = problem(**settings)
    regions.requires_grad_()
    results = []
    for compute in (
        lambda: list(head.terms(module, {"region": regions}, labels, task).values()),
        lambda: [t for t in literal.terms(head, module, regions, labels, task) if t.requires_grad],
    ):
        values = compute()
        wanted = [regions, *module.parameters()]
        gradients = torch.autograd.grad(sum(values), wanted, allow_unused=True, materialize_grads=True)
        results.append((torch.stack([v for v in values if v != 0]), gradients))
    (ours, our_gradients), (papers, paper_gradients) = results
    torch.testing.assert_close(ours, papers, rtol=1e-9, atol=1e-12)
    for one, other in zip(our_gradients, paper_gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-10 * max(1, float(other.abs().max())))


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("at_once", [1, 70, 10**6])
def test_any_chunking_gives_the_same(similarity: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(1)
    affinity, reading, semantics = (
        torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True)
        for s in ((B, R, C), (B, R, A), (C, A))
    )
    whole = attended_scores(affinity, reading, semantics, similarity)
    gradients = torch.autograd.grad(whole.sin().sum(), [affinity, reading, semantics])
    monkeypatch.setattr("zslpipe.parts.class_attention.parts", lambda *shape: parts(*shape, at_once=at_once))
    again = attended_scores(affinity, reading, semantics, similarity)
    torch.testing.assert_close(again, whole)
    torch.testing.assert_close(torch.autograd.grad(again.sin().sum(), [affinity, reading, semantics]), gradients)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_gradients_are_those_of_finite_differences(similarity: str) -> None:
    torch.manual_seed(2)
    inputs = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((2, 4, 3), (2, 4, 5), (3, 5))]
    assert torch.autograd.gradcheck(lambda *i: attended_scores(*i, similarity), inputs)
    assert torch.autograd.gradcheck(lambda *i: _Read.apply(*i, True), inputs)


@pytest.mark.parametrize("classes", [3, 40])
def test_gram_gap_on_either_side_of_the_width(classes: int) -> None:
    x, y = torch.rand(classes, 10, dtype=torch.float64), torch.rand(classes, 4, dtype=torch.float64)
    x.requires_grad_()
    ours, papers = gram_gap(x, y), (x @ x.T - y @ y.T).square().sum()
    torch.testing.assert_close(ours, papers)
    torch.testing.assert_close(torch.autograd.grad(ours, x), torch.autograd.grad(papers, x))


class Largest(TorchDispatchMode):
    """Records the number of elements of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.elements = max([self.elements, *sizes])
        return out


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_no_attended_feature_is_ever_formed(similarity: str) -> None:
    # Fewer regions than semantics, fewer semantics than channels: (B, R, C) is then the smallest of the three.
    torch.manual_seed(0)
    batch, regions, width, classes, attributes = 8, 9, 256, 60, 40
    head = DenseAttentionAE(similarity=similarity)
    module = head.build(Problem({"region": TapSpec((regions, width))}, attributes, classes=classes))
    x, labels = torch.rand(batch, regions, width), torch.randint(classes, (batch,))
    task = Task(torch.rand(classes, attributes), torch.arange(classes), None)
    allowed = max(batch * regions * classes, x.numel(), width * classes)
    with Largest() as ours:
        sum(head.terms(module, {"region": x}, labels, task).values()).backward()  # type: ignore[union-attr]
        head.scores(module, {"region": x}, head.encode(module, task.semantics))
    assert ours.elements <= allowed < batch * classes * attributes < batch * classes * width
    with Largest() as papers:
        literal.terms(head, module, x, labels, task)
    assert papers.elements == batch * classes * width


def test_regions_and_classes_may_come_in_any_order() -> None:
    head, module, regions, _, task = problem(torch.float32)
    with torch.no_grad():
        scores = head.scores(module, {"region": regions}, head.encode(module, task.semantics))
        moved = head.scores(module, {"region": regions[:, torch.randperm(R)]}, head.encode(module, task.semantics))
        order = torch.randperm(C + UNSEEN)
        reordered = head.scores(module, {"region": regions}, head.encode(module, task.semantics[order]))
    torch.testing.assert_close(moved, scores, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(reordered, scores[:, order], rtol=1e-4, atol=1e-4)


def test_semantics_of_unseen_classes_enter_by_reconstruction_alone() -> None:
    head, module, regions, labels, task = problem()
    before = head.terms(module, {"region": regions}, labels, task)
    task.semantics[0] += 1  # an unseen class
    after = head.terms(module, {"region": regions}, labels, task)
    assert [k for k in before if before[k] != after[k]] == ["sr"]


def test_variants_of_the_papers_tables() -> None:
    for settings, names in (({}, {"cls", "ma", "sr"}), ({"eta": 0}, {"cls", "ma"}), ({"alpha": 0}, {"cls", "sr"})):
        head, module, regions, labels, task = problem(**settings)
        assert set(head.terms(module, {"region": regions}, labels, task)) == names
    _, coupled, *_ = problem()
    _, decoupled, *_ = problem(coupled=False)
    extra = sum(p.numel() for p in decoupled.parameters()) - sum(p.numel() for p in coupled.parameters())
    assert extra == sum(p.numel() for p in coupled.decoder.parameters())


def test_in_the_span_of_its_classes_nothing_is_lost() -> None:
    semantics = torch.rand(4, 30, dtype=torch.float64)
    centred = semantics - semantics.mean(0)
    basis = basis_of(centred)
    assert basis.shape == (30, 4)
    torch.testing.assert_close(basis.T @ basis, torch.eye(4, dtype=torch.float64))
    torch.testing.assert_close(centred @ basis @ basis.T, centred)
    torch.testing.assert_close(basis_of(centred), basis)

    head, module, regions, _, task = problem(span=True, classes=3, unseen=1)
    _, whole, *_ = problem(classes=3, unseen=1)
    assert (module.basis.shape, whole.basis.shape) == ((A, 4), (A, A))
    with torch.no_grad():
        whole.load_state_dict(
            {
                "encoder.0.weight": module.encoder[0].weight @ module.basis.T,
                "encoder.0.bias": module.encoder[0].bias,
                "decoder.weight": module.basis @ module.decoder.weight,
                "decoder.bias": module.basis @ module.decoder.bias,
                "centre": module.centre,
                "basis": torch.eye(A),
                "region_scale": module.region_scale,
                "input_scale": module.input_scale,
                "latent_centre": module.latent_centre,
            }
        )
        inputs = {"region": regions}
        torch.testing.assert_close(
            head.scores(module, inputs, head.encode(module, task.semantics)),
            head.scores(whole, inputs, head.encode(whole, task.semantics)),
        )


def fitted(**settings: Any) -> tuple[DenseAttentionAE, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """A head trained on images in which one region determines the class; features, labels and semantics."""
    rng = np.random.default_rng(0)
    semantics = rng.uniform(size=(C + UNSEEN, A)).astype(np.float32)
    labels = np.repeat(np.arange(C), 6)
    regions = rng.uniform(size=(len(labels), R, D)).astype(np.float32)
    regions[:, 4] += 3 * np.abs((semantics - semantics.mean(0))[labels] @ rng.normal(size=(A, D)))
    features = {"region": regions}
    head = DenseAttentionAE(**{"epochs": 30, "batch": 8, "learning_rate": 1e-2, "device": "cpu"} | settings)
    return head.fit(features, labels, semantics), features, labels, semantics


def test_attention_sums_to_one_and_finds_the_place() -> None:
    head, features, labels, semantics = fitted()
    attention = head.class_attention(features, semantics)
    assert attention.shape == (len(labels), C + UNSEEN, R)
    assert attention.dtype == np.float32
    np.testing.assert_allclose(attention.sum(2), 1, rtol=1e-5)
    true = attention[np.arange(len(labels)), labels].mean(0)
    assert true.argmax() == 4


@pytest.mark.parametrize(
    "settings", [{"reading": "printed"}, {"similarity": "dot"}, {"centre": "none"}, {"centre": "all"}]
)
def test_other_readings_train_or_say_why_not(settings: dict[str, Any]) -> None:
    try:
        head, features, _, semantics = fitted(epochs=2, **settings)
    except ZslpipeError as problem:
        assert "became" in str(problem)  # noqa: PT017
        return
    assert np.isfinite(head.decision_function(features, semantics)).all()


def test_half_precision_steps_stay_close() -> None:
    head, module, regions, labels, task = problem(torch.float32)
    exact = head.terms(module, {"region": regions}, labels, task)
    with torch.autocast("cpu", torch.bfloat16):
        half = head.terms(module, {"region": regions}, labels, task)
    assert half["cls"].item() == pytest.approx(exact["cls"].item(), rel=0.05)


def test_wrong_requests_are_told_in_a_sentence() -> None:
    for settings, told in (
        ({"similarity": "cosin"}, "unknown value of similarity 'cosin': did you mean cosine"),
        ({"centre": "mean"}, "unknown value of centre 'mean'"),
        ({"reading": "literal"}, "unknown value of reading 'literal'"),
    ):
        with pytest.raises(InputError, match=told):
            fitted(epochs=1, **settings)
    head, features, *_ = fitted(epochs=1)
    with pytest.raises(InputError, match="trained with 6 semantics per class, not 5"):
        head.class_attention(features, np.zeros((2, 5), np.float32))
