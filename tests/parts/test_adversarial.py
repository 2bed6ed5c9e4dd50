"""The learner of feature generators against the released code written out, and what it may and may not change."""

import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from zslpipe.parts.adversarial import Adversarial, GanSettings
from zslpipe.parts.feature_gan import FeatureGan, GanSizes
from zslpipe.parts.generator import Output
from zslpipe.training import At, Batch

sys.path.insert(0, str(Path(__file__).parents[1] / "heads"))
from literal_tf_vaegan import LiteralTfVaegan, Noise

D, A, H, B, S = 12, 5, 24, 8, 6
SETTINGS = {"learning_rate": 1e-3, "feedback_rate": 1e-3, "decoder_rate": 1e-3, "reconstruction_weight": 0.1}


def made(output: Output = "linear", **changes: object) -> tuple[Adversarial, Tensor]:
    torch.manual_seed(0)
    gan = FeatureGan(GanSizes(D, A, A, H, output=output))
    for p in gan.parameters():
        p.data *= 10  # so that every loss has a say
    semantics = torch.rand(S, A)
    if output == "linear":
        gan.fit_semantics(semantics, 2.0)
    conditions = gan.conditions(semantics)
    return Adversarial(gan, GanSettings(**{**SETTINGS, **changes}), conditions), conditions  # type: ignore[arg-type]


def batch_of(learner: Adversarial) -> Batch:
    count = B * learner.settings.critic_steps
    return Batch({"global": torch.rand(count, D)}, torch.randint(S, (count,)), np.arange(count))


def at(step: int, steps: int = 8) -> At:
    return At("generator", 0, 1, step, steps)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"freeze_decoder": True}, {"adaptive_penalty": False, "feedback": 0.3}, {"reconstruction": "l1"}],
)
def test_three_iterations_are_those_of_the_released_code(output: Output, changes: dict[str, object]) -> None:
    learner, semantics = made(output, **changes)
    literal = LiteralTfVaegan(learner.module, learner.settings)
    for step in (1, 4, 6):  # without feedback, then with it
        batch = batch_of(learner)
        torch.manual_seed(step)
        count = len(batch.labels)
        noise = Noise(torch.rand(count, 1), torch.randn(count, A), torch.randn(B, A))
        expected = literal.step(batch.inputs["global"], semantics[batch.labels], noise, feedback=step >= 4)
        torch.manual_seed(step)
        losses = learner.step(batch, at(step))
        assert losses == pytest.approx(expected, rel=1e-4, abs=5e-4)  # values of the critic are differences
        assert float(learner.module.penalty_weight) == pytest.approx(literal.lambda1, rel=1e-5)
    generator, encoder = learner.module.generator, learner.module.encoder
    assert encoder is not None
    torch.testing.assert_close(generator.output.weight, literal.g2.weight, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(encoder.hidden.weight, literal.e2.weight, atol=1e-4, rtol=1e-3)


def changed(learner: Adversarial, step: int) -> set[str]:
    """The networks that a step changes."""
    before = {k: v.clone() for k, v in learner.module.named_parameters()}
    learner.step(batch_of(learner), at(step))
    return {k.split(".")[0] for k, v in learner.module.named_parameters() if not torch.equal(v, before[k])}


def test_the_feedback_module_learns_in_the_second_half_of_an_epoch() -> None:
    others = {"critic", "generator", "encoder", "decoder"}
    assert changed(made()[0], 3) == others
    assert changed(made()[0], 4) == {*others, "feedback"}
    assert changed(made(feedback=0.0)[0], 4) == others


def test_the_weight_of_the_penalty_adapts() -> None:
    learner, _ = made()
    for penalty, factor in ((2.0, 1.1), (0.5, 1 / 1.1), (1.02, 1.0)):
        learner.module.penalty_weight.fill_(10.0)
        learner.adapt(torch.tensor(penalty))
        assert float(learner.module.penalty_weight) == pytest.approx(10 * factor)


def test_noise_instead_of_the_encoder() -> None:
    learner, semantics = made(encoded_noise=False)
    x = torch.rand(B, D)
    torch.manual_seed(3)
    z = learner.latent(x, semantics[:1].expand(B, A))
    torch.manual_seed(3)
    assert torch.equal(z, torch.randn(B, A))
    losses = learner.step(batch_of(learner), at(0))
    assert {"kl", "reconstruction", "generator"} <= set(losses)


def test_extra_terms_are_told_and_followed() -> None:
    learner, _ = made()
    learner.extra = lambda made, labels: {"pull": 100 * made.mean()}
    first = learner.step(batch_of(learner), at(0))["pull"]
    for _ in range(20):
        last = learner.step(batch_of(learner), at(0))["pull"]
    assert last < first


def test_spread_is_told_at_the_end_of_an_epoch() -> None:
    learner, _ = made()
    assert "spread" not in learner.step(batch_of(learner), at(0))
    assert learner.step(batch_of(learner), at(7))["spread"] > 0


def test_half_precision_survives() -> None:
    learner, _ = made()
    plain = {}
    for cast in (nullcontext, lambda: torch.autocast("cpu", torch.bfloat16)):
        learner, _ = made()
        learner.cast = cast
        torch.manual_seed(1)
        batch = batch_of(learner)
        losses = learner.step(batch, at(6))
        assert all(np.isfinite(v) for v in losses.values())
        plain = plain or losses
    assert losses == pytest.approx(plain, rel=0.05, abs=0.05)
