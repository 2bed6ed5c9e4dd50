"""BSNet and BGSNet are what their equations say, whatever is left out, and modules that are off are not run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from zslpipe.backbones import create_model, split
from zslpipe.backbones.weights import content_hash
from zslpipe.errors import InputError
from zslpipe.heads import HEADS, load_head
from zslpipe.heads.bgsnet import BGSNet
from zslpipe.heads.bsnet import BSNet, sharpness
from zslpipe.parts.networks import pretrained_tail
from zslpipe.parts.specialists import Specialists
from zslpipe.training import At

MODEL, SIDE, S, EACH, A, N = "test_resnet", 64, 4, 6, 5, 3
LABELS = np.repeat(np.arange(S), EACH)
RNG = np.random.default_rng(0)
SEMANTICS = RNG.uniform(0.1, 1, size=(S + 2, A)).astype(np.float32)


class Stored(dict[str, np.ndarray]):
    backbone: dict[str, Any]


@pytest.fixture(scope="module")
def stored() -> Stored:
    trunk = RNG.normal(size=(len(LABELS), 4, 4, 192)).astype(np.float32)
    trunk += (SEMANTICS[LABELS] @ RNG.normal(size=(A, 192)))[:, None, None].astype(np.float32)
    _, tail = split(create_model(MODEL, "random", SIDE))
    with torch.no_grad():
        final = tail.forward_features(torch.from_numpy(trunk).permute(0, 3, 1, 2))
        found = Stored({"trunk": trunk, "global": tail.forward_head(final, pre_logits=True).numpy()})
    digest = content_hash(create_model(MODEL, "random", SIDE))
    found.backbone = {"name": MODEL, "weights": "random", "image_size": SIDE, "hash": digest, "transform": {}}
    return found


def fit(name: str, stored: Stored, **settings: Any) -> Any:
    usual = {"modules": N, "epochs": 2, "batch": 8, "device": "cpu"}
    return HEADS[name](**{**usual, **settings}).fit(stored, LABELS, SEMANTICS)  # type: ignore[arg-type]


def inputs_of(stored: Stored) -> dict[str, Tensor]:
    return {tap: torch.from_numpy(stored[tap]) for tap in ("trunk", "global")}


def literal(net: Specialists, inputs: dict[str, Tensor], head: BSNet, gates: Tensor) -> Tensor:
    """Module by module, sample by sample."""
    predicted = []
    for row, shared in zip(inputs["trunk"], inputs["global"]):
        parts = []
        for i in range(head.modules):
            tail = net.tails[i].model
            e = tail.forward_head(tail.forward_features(row.permute(2, 0, 1)[None]), pre_logits=True)[0]
            if head.instance_weights:
                e = torch.sigmoid(net.weighers[i](torch.cat([e, shared]))) * e
            parts.append(gates[i] * e)
        predicted.append(net.readout(torch.cat(parts)))
    return torch.stack(predicted)


@pytest.mark.parametrize("hidden", [0, 7])
@pytest.mark.parametrize(("weights", "gates"), [(True, True), (False, True), (True, False)])
def test_predictions_are_the_literal_ones(stored: Stored, hidden: int, weights: bool, gates: bool) -> None:
    head = fit("bsnet", stored, hidden=hidden, instance_weights=weights, gates=gates, binary=False)
    net, inputs = head.module_, inputs_of(stored)
    opened = torch.sigmoid(head.s_max * net.gates) if gates else torch.ones(N)
    with torch.no_grad():
        expected = literal(net, inputs, head, opened) @ torch.from_numpy(SEMANTICS).T
    np.testing.assert_allclose(head.decision_function(stored, SEMANTICS), expected.numpy(), rtol=1e-4, atol=1e-4)
    assert ("diversity" in head.history_[""][0]) == weights


def test_modules_that_are_off_are_not_run(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    head = fit("bsnet", stored, modules=4)
    net, ran = head.module_, []
    with torch.no_grad():
        net.gates.copy_(torch.tensor([-0.3, 2.0, -1.0, 0.1]))
    for i, tail in enumerate(net.tails):
        tail.register_forward_hook(lambda *_, i=i: ran.append(i))
    pruned = head.decision_function(stored, SEMANTICS)
    assert sorted(set(ran)) == [1, 3]
    assert head.record()["surviving"] == 2
    assert head.record()["notes"] == ["2 of 4 specialists survive"]
    monkeypatch.setattr(net, "prune", False)
    whole = head.decision_function(stored, SEMANTICS)
    assert sorted(set(ran)) == [0, 1, 2, 3]
    np.testing.assert_allclose(pruned, whole, rtol=1e-4, atol=1e-5)


def test_the_most_open_gate_survives_if_all_are_off(stored: Stored) -> None:
    head = fit("bsnet", stored)
    with torch.no_grad():
        head.module_.gates.copy_(torch.tensor([-2.0, -0.5, -1.0]))
    assert head.module_.surviving == 1
    assert head.module_.opened().tolist() == [0, 1, 0]


def test_all_modules_survive_without_gates(stored: Stored) -> None:
    assert fit("bsnet", stored, gates=False).record()["surviving"] == N
    assert fit("bsnet", stored, binary=False).record()["surviving"] == N


def test_annealing_is_linear_from_one_over_s_max() -> None:
    assert [sharpness(At("", e, 5, 0, 3), 5.0) for e in range(5)] == pytest.approx([0.2, 1.4, 2.6, 3.8, 5.0])
    assert sharpness(At("", 0, 1, 0, 3), 5.0) == 5.0


@pytest.mark.parametrize(("settings", "used"), [({}, [0.2, 2.6, 5.0]), ({"annealing": False}, [5.0] * 3)])
def test_gates_are_trained_at_the_annealed_s(
    stored: Stored, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], used: list[float]
) -> None:
    seen: list[float] = []
    opened = Specialists.opened

    def recorded(net: Specialists) -> Tensor:
        seen.extend([net.sharpness] if net.training else [])
        return opened(net)

    monkeypatch.setattr(Specialists, "opened", recorded)
    fit("bsnet", stored, epochs=3, **settings)
    assert list(dict.fromkeys(seen)) == pytest.approx(list(dict.fromkeys(used)))


def test_sequential_trains_the_gates_first(stored: Stored) -> None:
    head = fit("bsnet", stored, order="sequential", gate_epochs=3)
    assert {stage: len(history) for stage, history in head.history_.items()} == {"gates": 3, "weights": 2}
    assert "diversity" not in head.history_["gates"][0]
    assert "diversity" in head.history_["weights"][0]
    assert head.module_.weighing


def test_copies_stay_as_they_are_while_the_rest_warms_up(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    start, settings = pretrained_tail(stored.backbone), {"warm_up": 2, "annealing": False}
    head = fit("bsnet", stored, **settings)
    assert all(torch.equal(value, start[key]) for t in head.module_.tails for key, value in t.state_dict().items())
    assert head.module_.gates.grad is not None
    scores = head.decision_function(stored, SEMANTICS)
    monkeypatch.setattr(Specialists, "untrained", property(lambda _: False, lambda *_: None), raising=False)
    run = fit("bsnet", stored, **settings, tail_rate=1e-30)
    np.testing.assert_allclose(run.decision_function(stored, SEMANTICS), scores, rtol=1e-4, atol=1e-4)


def test_copies_start_equal_and_become_different(stored: Stored) -> None:
    start = pretrained_tail(stored.backbone)
    head = fit("bsnet", stored)
    ends = [tail.state_dict() for tail in head.module_.tails]
    key = next(k for k in start if k.endswith("conv1.weight"))
    assert ends[0].keys() == start.keys()
    assert not any(torch.equal(end[key], start[key]) for end in ends)
    assert not torch.equal(ends[0][key], ends[1][key])


def test_saved_without_weights_or_gates(stored: Stored, tmp_path: Path) -> None:
    for settings in ({"instance_weights": False}, {"gates": False}, {"order": "sequential", "gate_epochs": 1}):
        head = fit("bsnet", stored, **settings)
        head.save(tmp_path)
        again = load_head(tmp_path).decision_function(stored, SEMANTICS)
        np.testing.assert_array_equal(again, head.decision_function(stored, SEMANTICS))


def test_bgsnet_adds_its_two_predictions(stored: Stored) -> None:
    head = fit("bgsnet", stored, base_epochs=1, meta_epochs=1, task_ways=2)
    assert isinstance(head, BGSNet)
    assert list(head.history_) == ["base", "meta", "specialists"]
    net, inputs = head.module_, inputs_of(stored)
    with torch.no_grad():
        expected = (net.generalist(inputs) + net.specialists(inputs)) @ torch.from_numpy(SEMANTICS).T
    np.testing.assert_allclose(head.decision_function(stored, SEMANTICS), expected.numpy(), rtol=1e-4, atol=1e-4)


def test_its_specialists_start_from_the_fine_tuned_tail(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    monkeypatch.setattr(
        Specialists, "start_from", lambda _, state: starts.append({k: v.clone() for k, v in state.items()})
    )
    head = fit("bgsnet", stored, mode="tail", base_epochs=1, meta_epochs=1, task_ways=2, tail_rate=1.0)
    assert len(starts) == 2
    tuned = head.tuning_.tail.state_dict()
    key = next(k for k in tuned if k.endswith("conv1.weight"))
    assert torch.equal(starts[1][key], tuned[key])  # which later stages left as it was
    assert not torch.equal(starts[0][key], tuned[key])


def test_features_without_their_network_are_refused(stored: Stored) -> None:
    with pytest.raises(InputError, match="made by an unknown model, whose layers cannot be trained"):
        fit("bsnet", dict(stored))  # type: ignore[arg-type]
