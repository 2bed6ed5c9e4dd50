"""The networks of feature generators: the one-pass critic, the layers of two inputs, feedback, what is measured."""

from typing import Any

import torch

from zslpipe.losses import gradient_penalty
from zslpipe.parts.feature_gan import FeatureGan, GanSizes
from zslpipe.parts.generator import Critic, Pair, small_weights

D, A, H, B = 7, 4, 16, 9


def batch() -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(0)
    real, fake = torch.rand(B, D, generator=random), torch.rand(B, D, generator=random)
    return real, fake, torch.rand(B, A, generator=random), torch.rand(B, 1, generator=random)


def test_a_pair_is_a_layer_of_both_inputs() -> None:
    pair, (x, _, a, _) = Pair(D, A, H), batch()
    weight = torch.cat([pair.first.weight, pair.second.weight], 1)
    torch.testing.assert_close(pair(x, a), torch.cat([x, a], 1) @ weight.T + pair.first.bias)


def test_the_one_pass_critic_equals_three_passes_and_a_second_derivative() -> None:
    torch.manual_seed(0)
    critic, (real, fake, a, mix) = Critic(D, A, H), batch()
    found = critic.compare(real, fake, a, mix)
    literal = critic(real, a).mean(), critic(fake, a).mean(), gradient_penalty(lambda x: critic(x, a), real, fake, mix)
    for one, other in zip(found, literal):
        torch.testing.assert_close(one, other)
    weights = list(critic.parameters())
    slopes = torch.autograd.grad(found[1] - found[0] + 3 * found[2], weights)
    expected = torch.autograd.grad(literal[1] - literal[0] + 3 * literal[2], weights)
    for slope, other in zip(slopes, expected):
        torch.testing.assert_close(slope, other)


def test_the_penalty_of_a_critic_without_a_kink_is_in_closed_form() -> None:
    """With large biases no unit is in its flat part, so the critic is linear with gradient w W."""
    critic, (real, fake, a, mix) = Critic(D, A, H), batch()
    torch.nn.init.constant_(critic.input.first.bias, 100.0)
    slope = critic.output.weight[0] @ critic.input.first.weight
    torch.testing.assert_close(critic.compare(real, fake, a, mix)[2], (slope.norm() - 1).square())


def gan(**changes: Any) -> FeatureGan:
    torch.manual_seed(0)
    return FeatureGan(GanSizes(D, A, A, H, **changes))


def test_initial_weights_are_small() -> None:
    net = gan()
    assert 0.015 < float(net.feedback.input.weight.detach().std()) < 0.025  # type: ignore[union-attr]
    assert all(not p.any() for name, p in net.named_parameters() if name.endswith("bias"))
    small_weights(net)


def test_feedback_changes_only_the_second_pass_and_trains_only_the_feedback_module() -> None:
    net, (_, _, a, _) = gan(), batch()
    assert net.decoder is not None
    assert net.feedback is not None
    z = net.noise(B)
    torch.testing.assert_close(net.make(z, a, 0.0), net.generator(z, a))
    with_feedback = net.make(z, a, 0.5)
    added = 0.5 * net.feedback(net.decoder(net.generator(z, a))[1])
    torch.testing.assert_close(with_feedback, net.generator.finish(net.generator.start(z, a) + added))
    with_feedback.sum().backward()
    assert net.feedback.input.weight.grad is not None
    assert net.decoder.input.weight.grad is None, "nothing passes through the decoder"


def test_scaled_features_survive_constant_ones() -> None:
    (x, _, _, _) = batch()
    x[:, 2] = 5.0
    others = [0, 1, 3, 4, 5, 6]
    for output in ("sigmoid", "relu", "linear"):
        net = gan(output=output)
        net.fit_features(x)
        scaled = net.scaled(x)
        assert not scaled[:, 2].any()
        torch.testing.assert_close(net.unscaled(scaled), x)
        if output == "linear":
            torch.testing.assert_close(scaled[:, others].std(0, correction=0), torch.ones(6))
        else:
            assert (float(scaled.min()), float(scaled.max())) == (0, 1)


def test_semantics_are_of_unit_length_or_centred_by_the_training_classes() -> None:
    net, (_, _, a, _) = gan(), batch()
    torch.testing.assert_close(net.conditions(3 * a), torch.nn.functional.normalize(a, dim=1))
    net.fit_semantics(a, 3.0)
    centred = torch.nn.functional.normalize(a, dim=1)
    centred = torch.nn.functional.normalize(centred - centred.mean(0), dim=1) * 3
    torch.testing.assert_close(net.conditions(3 * a), centred)
    torch.testing.assert_close(net.conditions(a[:1]), centred[:1])


def test_what_the_classifier_reads() -> None:
    x = batch()[0]
    assert gan().described(x).shape == (B, D + A + H)
    torch.testing.assert_close(gan().described(x)[:, D : D + A].norm(dim=1), torch.ones(B))
    assert torch.equal(gan(vae=False, decoder=False).described(x), x)


def test_spread_is_the_share_of_the_real_one() -> None:
    net, (_, _, a, _) = gan(), batch()
    torch.manual_seed(1)
    one = float(net.spread(a))
    torch.manual_seed(1)
    net.real_variance.fill_(16.0)
    assert one > 0
    assert abs(float(net.spread(a)) - one / 4) < 1e-7
    torch.manual_seed(1)
    made = net.make(net.noise(B * 8), a.repeat_interleave(8, 0)).detach().view(B, 8, D)
    torch.manual_seed(1)
    torch.testing.assert_close(net.variance(a), made.var(1).mean(0))
