"""The folded AttentionNet against the paper's formulas, its branches, and its errors."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zslpipe.errors import InputError
from zslpipe.heads import HEADS, Attributes
from zslpipe.heads.attention_net import AttentionNet, CrossAttention, GlobalBranch
from zslpipe.losses import remse, sce
from zslpipe.parts.attention import grid_positions, spread
from zslpipe.parts.problem import Problem
from zslpipe.store.layout import TapSpec

sys.path.insert(0, str(Path(__file__).parent))
import literal_attention as literal

A, C, R, W = 11, 16, 9, 6


def network(dtype: torch.dtype = torch.float64, **settings: object) -> tuple[CrossAttention, Tensor]:
    torch.manual_seed(0)
    head = AttentionNet(width=7, **settings)  # type: ignore[arg-type]
    net = CrossAttention(Problem({"region": TapSpec((R, C))}, A, W), head)
    net.words.normal_()
    net.scale.fill_(0.7)
    return net.to(dtype), torch.rand(5, R, C, dtype=dtype)


@pytest.mark.parametrize("hidden", [0, 13])
@pytest.mark.parametrize("branch", ["fused", "attention"])
def test_folding_changes_neither_outputs_nor_gradients(branch: str, hidden: int) -> None:
    net, regions = network(branch=branch, hidden=hidden, ratio=0.6, scale_attention=hidden > 0)
    semantics, labels = torch.rand(4, A, dtype=torch.float64), torch.tensor([0, 0, 1, 3, 3])
    outputs, gradients = [], []
    for forward in (net, lambda x: literal.attention_net(net, x)):
        predicted = forward(regions)
        loss = sce(predicted, semantics, labels) + remse(predicted, semantics[labels], labels, 0.1, 0.75)[0]
        net.zero_grad()
        loss.backward()
        outputs.append(predicted.detach())
        gradients.append({k: p.grad for k, p in net.named_parameters()})
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-10, atol=1e-10)
    for name, expected in gradients[1].items():
        if name == "key.bias":  # shifts all logits of an attribute equally
            assert gradients[0][name] is None
            assert expected.abs().max() < 1e-12
        else:
            torch.testing.assert_close(gradients[0][name], expected, rtol=1e-8, atol=1e-10, msg=name)


def test_single_precision_at_the_real_width() -> None:
    torch.manual_seed(0)
    net = CrossAttention(Problem({"region": TapSpec((49, 512))}, 312, 300), AttentionNet(width=256))
    net.words.normal_(std=0.35)  # rows of length 6, like the word vectors of CUB
    regions = torch.rand(8, 49, 512).mul(2).sub(1).relu()
    folded, expected = net(regions), literal.attention_net(net, regions)
    assert (folded - expected).abs().max() < 1e-4 * expected.abs().max()


def test_literal_remse_is_ours() -> None:
    predicted, target = torch.randn(12, A), torch.rand(12, A)
    labels = torch.randint(5, (12,))
    ours, _ = remse(predicted, target, labels, 0.1, 0.75)
    torch.testing.assert_close(ours, literal.remse(predicted, target, labels, 9, 0.1, 0.75), rtol=1e-5, atol=1e-6)


def test_attention_sums_to_one_and_finds_what_an_attribute_asks_for() -> None:
    net, regions = network()
    attention = net.attention(regions)
    assert attention.shape == (5, R, A)
    torch.testing.assert_close(attention.sum(1), torch.ones(5, A, dtype=attention.dtype), rtol=1e-5, atol=1e-5)
    planted = torch.zeros(1, R, C, dtype=torch.float64)
    planted[0, 4] = 50 * net.queries()[2].detach()
    assert net.attention(planted)[0, :, 2].argmax() == 4


def test_a_zero_word_vector_looks_everywhere_alike() -> None:
    net, regions = network()
    with torch.no_grad():
        net.words[3] = 0
        net.query.bias.zero_()
    torch.testing.assert_close(net.attention(regions)[:, :, 3], torch.full((5, R), 1 / R, dtype=torch.float64))


class Store:
    """Random features of a few classes, with any number of regions."""

    def __init__(self, regions: int = R) -> None:
        rng = np.random.default_rng(0)
        self.labels = np.repeat(np.arange(6), 5)
        self.semantics = rng.uniform(size=(6, A)).astype(np.float32)
        self.region = rng.normal(size=(30, regions, C)).astype(np.float16)
        self.attributes = Attributes(tuple("abcdefghijk"), rng.normal(size=(A, W)).astype(np.float32))


@pytest.mark.parametrize("regions", [49, 196, 197, 10])
def test_any_number_of_regions(regions: int) -> None:
    store = Store(regions)
    head = AttentionNet(epochs=1, width=8, device="cpu")
    head.fit({"region": store.region}, store.labels, store.semantics, store.attributes)
    assert head.decision_function({"region": store.region}, store.semantics).shape == (30, 6)
    shown = head.attention({"region": store.region[:3]})
    assert shown.shape == (3, regions, A)
    np.testing.assert_allclose(shown.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("loss", ["sce", "sce+mse", "sce+nmse", "sce+balanced-mse", "sce+remse"])
@pytest.mark.parametrize("branch", ["fused", "attention", "global"])
def test_every_branch_trains_with_every_loss(branch: str, loss: str) -> None:
    store = Store()
    head = AttentionNet(branch=branch, loss=loss, epochs=1, width=8, device="cpu", sampling="episodes", ways=4)
    head.fit({"region": store.region}, store.labels, store.semantics, store.attributes)
    assert np.isfinite(head.decision_function({"region": store.region}, store.semantics)).all()


def test_remse_falls_back_to_the_global_branch_and_says_so() -> None:
    store = Store()
    pooled = store.region.mean(1)
    head = HEADS["remse"](epochs=1, device="cpu")
    with pytest.warns(UserWarning, match="global branch only: there are no region features"):
        head.fit({"global": pooled}, store.labels, store.semantics, store.attributes)
    assert isinstance(head.module_.net, GlobalBranch)  # type: ignore[attr-defined]
    with pytest.warns(UserWarning, match="no word vectors"):
        head.fit({"global": pooled, "region": store.region}, store.labels, store.semantics)
    head.fit({"global": pooled, "region": store.region}, store.labels, store.semantics, store.attributes)
    assert isinstance(head.module_.net, CrossAttention)  # type: ignore[attr-defined]
    assert tuple(head.problem_.taps) == ("region",)  # type: ignore[attr-defined]


def test_what_is_missing_is_named() -> None:
    store = Store()
    with pytest.raises(InputError, match=r"needs the features .region., but there are only global"):
        AttentionNet().fit({"global": store.region.mean(1)}, store.labels, store.semantics, store.attributes)
    with pytest.raises(InputError, match="needs word vectors of the attributes"):
        AttentionNet().fit({"region": store.region}, store.labels, store.semantics)
    with pytest.raises(InputError, match="did you mean fused"):
        AttentionNet(branch="fuse").choose_taps(["region"], store.attributes)
    head = AttentionNet(branch="global", epochs=1, device="cpu")
    head.fit({"region": store.region}, store.labels, store.semantics)
    with pytest.raises(InputError, match="no attention to show"):
        head.attention({"region": store.region})


def test_the_class_token_is_one_more_region() -> None:
    store = Store()
    taps = {"region": store.region, "global": np.random.default_rng(3).random(store.region[:, 0].shape, np.float32)}
    head = AttentionNet(class_token=True, epochs=1, device="cpu")
    head.fit(taps, store.labels, store.semantics, store.attributes)
    assert tuple(head.problem_.taps) == ("region", "global")
    tokens = np.concatenate([taps["global"][:, None], store.region], 1)
    assert head.attention(taps).shape[1] == tokens.shape[1]
    literally = literal.attention_net(head.module_.net, torch.from_numpy(tokens)).detach().numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(head.predict_semantics(taps), literally, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="the class token is the tap 'global'"):
        head.with_params().fit({"region": store.region}, store.labels, store.semantics, store.attributes)
    with pytest.raises(InputError, match="of another width than the regions"):
        head.with_params().fit(
            {**taps, "global": taps["global"][:, 1:]}, store.labels, store.semantics, store.attributes
        )


def test_grids_with_and_without_class_token() -> None:
    places, inside = grid_positions(10, (3, 3))
    assert inside.tolist() == [False] + [True] * 9
    assert places[1:].tolist() == [[r, c] for r in range(3) for c in range(3)]
    assert grid_positions(49, (7, 7))[1].all()
    assert grid_positions(8, (2, 4))[0][5].tolist() == [1, 1]
    with pytest.raises(InputError, match="grid of the 8 regions is unknown"):
        spread(torch.rand(1, 8, 2), None)


@pytest.mark.parametrize(("count", "grid"), [(9, (3, 3)), (10, (3, 3)), (8, (2, 4))])
def test_spread_is_the_literal_loop(count: int, grid: tuple[int, int]) -> None:
    attention = torch.rand(2, count, 3).softmax(1)
    places, inside = grid_positions(count, grid)
    result = spread(attention, grid)
    for b in range(2):
        for a in range(3):
            peak = max((r for r in range(count) if inside[r]), key=lambda r: float(attention[b, r, a]))
            for r in range(count):
                distance = ((places[r] - places[peak]) ** 2).sum() if inside[r] else 0.0
                assert result[b, r, a].item() == pytest.approx(float(attention[b, r, a] * distance), rel=1e-4, abs=1e-6)
