"""Base of heads that generate features of unseen classes and train a softmax classifier on them."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from zslpipe.parts.adversarial import Adversarial, Extra, GanSettings
from zslpipe.parts.feature_gan import FeatureGan
from zslpipe.parts.generator_health import complaints
from zslpipe.parts.head import Head, Scorer, Setting
from zslpipe.parts.own_learner import OwnLearner, cast_to
from zslpipe.parts.problem import Classes, TrainingData
from zslpipe.parts.settings import Count, NonNegative, Positive, Whole
from zslpipe.parts.synthesis import SeenFeatures, Synthesis, split_settings, with_classifiers
from zslpipe.parts.task import Inputs, Task
from zslpipe.parts.torch_head import TorchHead
from zslpipe.progress import say
from zslpipe.store.rows import Features
from zslpipe.training import Epoch, Independent, OwnRandom, RowBatches, Stage
from zslpipe.training.placed import Placed

GENERATOR = "generator"  # name of the stage
ROWS = 4096  # read at a time

M = TypeVar("M", bound=nn.Module)


@dataclass
class GeneratorHead(OwnLearner, Synthesis, TorchHead[M]):  # type: ignore[misc]  # fewer settings than TorchHead
    """Trains a feature generator; binding it to classes synthesises the unseen ones and fits a classifier.

    Scores among only unseen classes come from a classifier of their own (CZSL). Selection tries the generator after
    every `every` epochs with each setting of the classifier. The defaults are for short trainings: validation classes
    chose them on CUB. The settings of the papers are in the recipes.

    Args:
        epochs: of the generator; in one, each critic step draws as many images as there are, twice with feedback
            (without it in the first half, with it in the second).
        every: epochs after which selection tries the generator.
        hidden: h, width of the hidden layers.
        latent: Z, width of the noise; 0 for as many as semantics.
        critic_steps: per step of the generator.
        critic_weight: gamma, of the critic's and the generator's adversarial losses.
        penalty_weight: lambda, of the gradient penalty, relative to the critic's loss.
        learning_rate: of generator, encoder and critic.
        features: "standardised", with a linear output of the generator, or with the papers' "range" of [0, 1].
        unit_length: scale features to unit length first.
        semantics: "centred" by the training classes, or as they are, of the papers' "unit" length: these differ so
            little between classes that a generator needs many times as many steps to tell them apart.
        semantic_length: of centred semantics; smaller ones make a smoother generator.
        fill_spread: add normal noise to synthetic features, as much as those of training classes vary less than real
            ones. The likelihood of a VAE has such noise; the papers leave it out.
    """

    separate_zsl: ClassVar[bool] = True

    epochs: Count = 6
    every: Count = 2
    learning_rate: Positive = 1e-3
    hidden: Count = 512
    latent: Whole = 0
    critic_steps: Count = 1
    critic_weight: Positive = 1.0
    penalty_weight: NonNegative = 10.0
    features: Literal["standardised", "range"] = "standardised"
    unit_length: bool = True
    semantics: Literal["centred", "unit"] = "centred"
    semantic_length: Positive = 5.0
    fill_spread: bool = True

    @classmethod
    def search_space(cls) -> Sequence[Setting]:
        return [{"synthetic": n, "classifier_epochs": e} for n in (100, 300) for e in (3, 10)]

    @abstractmethod
    def settings_of_gan(self) -> GanSettings:
        """What the learner is given."""

    @abstractmethod
    def gan(self, module: M) -> FeatureGan:
        """The generator within the module."""

    @property
    def synthesis_feedback(self) -> float:
        """Amount of feedback when features are synthesised."""
        return 0.0

    def represent(self, module: M, inputs: Inputs) -> Tensor:
        """(B, D) the features that are generated, of images."""
        return inputs["global"]

    # --- training ---

    def generator_stage(self, x: Placed, labels: Tensor, task: Task, extra: Extra | None = None) -> Stage[Any]:
        """The training of the generator on features `global` (N, D) with labels (N,) into `task.seen`."""
        gan, settings = self.gan(self.module_), self.settings_of_gan()
        cast = cast_to(self.precision, task.semantics.device)
        self._scale_and_keep(gan, x, labels, task)
        learner = Adversarial(gan, settings, gan.conditions(task.seen_semantics), extra, cast)
        passes = 1 if gan.feedback is None else 2
        steps = passes * -(-len(x) // self.batch)
        sampler = Independent(len(x), self.batch, self.seed, steps, self.critic_steps)
        return Stage(GENERATOR, learner, RowBatches(x, labels, sampler), self.epochs, "every", self.every)

    def _scale_and_keep(self, gan: FeatureGan, x: Placed, labels: Tensor, task: Task) -> None:
        """Measure training features and semantics, and keep the features that classifiers are trained on."""
        parts = np.array_split(np.arange(len(x)), -(-len(x) // ROWS))
        features = torch.cat([x[part]["global"] for part in parts])
        gan.fit_features(features)
        if self.semantics == "centred":
            gan.fit_semantics(task.seen_semantics, self.semantic_length)
        scaled = gan.scaled(features).cpu().numpy()
        semantics, of = task.semantics.cpu().numpy(), task.seen[labels].cpu().numpy()
        self.seen_ = SeenFeatures.of(scaled, of, semantics, self.kept)
        classes = [scaled[of == c] for c in np.unique(of)]
        variances = [v.var(0, ddof=1) for v in classes if len(v) > 1]
        if variances:
            gan.real_variance.copy_(torch.from_numpy(np.mean(variances, 0)).clamp(min=1e-12))

    def learn_candidates(
        self, data: TrainingData, candidates: Sequence[Setting]
    ) -> Iterator[tuple[dict[str, Any], Head]]:
        """Settings that differ only in the classifier share the generator; in its epochs, the classifier too."""
        others, own = split_settings(candidates)
        for setting, head in super().learn_candidates(data, others):
            yield from with_classifiers(head, setting, own)

    def _train(self, data: TrainingData, progress: bool = False) -> Iterator[tuple[Stage[Any], Epoch]]:
        told = 0
        for stage, epoch in super()._train(data, progress):
            for wrong in complaints(epoch.history)[told:] if stage.name == GENERATOR else ():
                say(f"{self.name}, {wrong}")
                told += 1
            yield stage, epoch

    def record(self) -> dict[str, Any]:
        """The losses of every epoch, and what is wrong with the generator."""
        wrong = complaints(getattr(self, "history_", {}).get(GENERATOR, ()))
        return {**super().record(), **({"notes": wrong} if wrong else {})}

    # --- classifier ---

    def synthesise(self, semantics: np.ndarray, each: int) -> Tensor:
        gan = self.gan(self.module_)
        a = gan.conditions(self._tensor(semantics)).repeat_interleave(each, 0)
        with torch.inference_mode():
            made = torch.cat([gan.make(gan.noise(len(part)), part, self.synthesis_feedback) for part in a.split(ROWS)])
            return made + self._missing_noise(gan) * torch.randn_like(made) if self.fill_spread else made

    def _missing_noise(self, gan: FeatureGan) -> Tensor:
        """(D,) deviation of the noise with which features of training classes vary as real ones do."""
        kept = self.seen_
        a = gan.conditions(self._tensor(kept.semantics[np.unique(kept.labels)]))
        return (gan.real_variance - gan.variance(a, self.synthesis_feedback)).clamp(min=0).sqrt()

    def transform(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            described = torch.cat([self.gan(self.module_).described(part) for part in x.split(ROWS)])
        return described.clone()  # a copy of its own may enter a training

    # --- report ---

    def make_features(self, semantics: np.ndarray, each: int) -> np.ndarray:
        """(C, each, D) synthetic features, scaled as in training; see `MakesFeatures`."""
        with OwnRandom(self.seed, next(self.module_.parameters()).device).active():
            made = self.synthesise(self.check_semantics(semantics), each)
        return made.view(len(semantics), each, -1).float().cpu().numpy()

    def real_features(self, features: Features) -> np.ndarray:
        """(N, D) what the synthetic ones imitate."""
        gan = self.gan(self.module_)
        return self.in_batches(features, lambda inputs: gan.scaled(self.represent(self.module_, inputs)))

    # --- scores ---

    def scorer(self, classes: Classes) -> Scorer:
        device = next(self.module_.parameters()).device
        weights = self.fit_classifier(self.seen_, classes.semantics, device)
        return lambda features: self.in_batches(
            features, lambda inputs: self.scores(self.module_, inputs, weights), len(classes)
        )

    def scores(self, module: M, inputs: Inputs, encoded: tuple[Tensor, Tensor]) -> Tensor:
        gan = self.gan(module)
        described = gan.described(gan.scaled(self.represent(module, inputs)))
        return torch.addmm(encoded[1], described, encoded[0].T)

    def terms(self, module: M, inputs: Inputs, labels: Tensor, task: Task) -> dict[str, Tensor]:
        raise NotImplementedError("a generator has a learner of its own")

    # --- saved ---

    def state(self) -> dict[str, np.ndarray]:
        return {**super().state(), **self.seen_.state()}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        self.seen_ = SeenFeatures.of_state(state)
        super().load_state({k: v for k, v in state.items() if not k.startswith("seen.")})
