import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.curve import share_flipped
from zslpipe.evaluation.protocol import evaluate
from zslpipe.evaluation.stacking import ScoresError
from zslpipe.parts.head import Head
from zslpipe.selection import SELECTIONS, Selection, SelectionResult, selection_rule
from zslpipe.selection.fitting import held_out_margins
from zslpipe.selection.rules import OracleTest, SeenValidation, UnseenClassValidation
from zslpipe.store.rows import take

Tiny = tuple[Benchmark, np.ndarray]
LEAK_FREE = [UnseenClassValidation(), UnseenClassValidation(transfer="raw"), SeenValidation()]
ids = [f"{r.name}-{getattr(r, 'transfer', '')}" for r in LEAK_FREE]


class Guarded:
    """Rows that raise when a forbidden one is read, and remember which were."""

    def __init__(self, rows: np.ndarray, forbidden: np.ndarray) -> None:
        self.rows, self.forbidden, self.read = rows, set(forbidden.tolist()), set[int]()
        self.shape, self.dtype = rows.shape, rows.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        asked = set(np.atleast_1d(np.arange(len(self.rows))[index]).tolist())
        assert not asked & self.forbidden, f"test rows {sorted(asked & self.forbidden)} were read"
        self.read |= asked
        return self.rows[index]


def outcome(rule: Selection, head: Head, rows: Any, benchmark: Benchmark) -> tuple[dict[str, Any], np.ndarray]:
    choice, fitted = rule.select(head, {"global": rows}, benchmark)
    return choice.to_json(), fitted.state()["weights"]


@pytest.mark.parametrize("rule", LEAK_FREE, ids=ids)
def test_no_test_image_is_read(rule: Selection, ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    tests = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    guarded = Guarded(features, tests)
    choice, weights = outcome(rule, ridge, guarded, benchmark)
    assert guarded.read == set(benchmark.trainval.tolist())  # all of trainval, in the end
    poisoned = features.copy()
    poisoned[tests] = np.nan
    again, same = outcome(rule, ridge, poisoned, benchmark)
    assert again == choice
    assert (same == weights).all()


def test_the_guard_sees_the_oracle_read_test_images(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    with pytest.raises(AssertionError, match="test rows"):
        outcome(OracleTest(), ridge, Guarded(features, benchmark.test_unseen), benchmark)


@pytest.mark.parametrize("rule", LEAK_FREE, ids=ids)
def test_labels_ids_and_order_of_test_images_change_nothing(rule: Selection, ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    rng = np.random.default_rng(0)
    labels, names = benchmark.labels.copy(), np.array(benchmark.image_ids)
    for part in (benchmark.test_seen, benchmark.test_unseen):
        labels[part] = rng.permutation(labels[part])
        names[part] = rng.permutation(names[part])
    shuffled = replace(
        benchmark,
        labels=labels,
        image_ids=tuple(names.tolist()),
        test_seen=rng.permutation(benchmark.test_seen)[:5],
        test_unseen=rng.permutation(benchmark.test_unseen),
    )
    one, other = outcome(rule, ridge, features, benchmark), outcome(rule, ridge, features, shuffled)
    assert one[0] == other[0]
    assert (one[1] == other[1]).all()


@pytest.mark.parametrize("rule", [*LEAK_FREE, OracleTest()], ids=[*ids, "oracle"])
def test_a_choice_survives_json(rule: Selection, ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = rule.select(ridge, {"global": features}, benchmark)
    assert SelectionResult.from_json(json.loads(json.dumps(choice.to_json(), allow_nan=False))) == choice
    assert choice.rule == rule.name


def test_every_setting_and_epoch_is_tried_in_every_fold_and_the_best_is_taken(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, fitted = UnseenClassValidation(folds=2).select(ridge, {"global": features}, benchmark)
    assert [(t.setting["alpha"], t.setting["epochs"]) for t in choice.trials] == [
        (a, e) for a in (1.0, 100.0, 1e5) for e in (1, 2)
    ]
    assert {len(t.folds) for t in choice.trials} == {2}
    values = [t.value for t in choice.trials]
    best = choice.trials[int(np.argmax(values))]
    assert choice.params == best.setting
    assert choice.metrics["H"] == pytest.approx(best.value)
    assert {k: fitted.get_params()[k] for k in choice.params} == choice.params


def test_the_head_is_refitted_on_all_of_trainval(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, fitted = UnseenClassValidation().select(ridge, {"global": features}, benchmark)
    rows, labels = take({"global": features}, benchmark.trainval), benchmark.labels[benchmark.trainval]
    literal = ridge.with_params(**choice.params).fit(rows, labels, benchmark.semantics)
    assert (fitted.state()["weights"] == literal.state()["weights"]).all()


def test_quantile_transfer_flips_the_share_that_the_folds_flipped(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    rule = UnseenClassValidation(transfer="quantile", holdout=0.4)
    choice, _ = rule.select(ridge, {"global": features}, benchmark)
    assert choice.delta is not None
    margins = held_out_margins(ridge.with_params(**choice.params), {"global": features}, benchmark, 0.4, 0)
    assert share_flipped(margins, choice.delta) == pytest.approx(choice.metrics["flipped"], abs=1 / len(margins))


def test_raw_transfer_takes_the_best_common_delta_of_the_folds(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = UnseenClassValidation(transfer="raw", folds=1).select(ridge, {"global": features}, benchmark)
    assert choice.delta == choice.metrics["delta"]
    assert choice.transfer == "raw"


def test_what_the_other_transfer_would_have_given_is_told(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choices = {
        t: UnseenClassValidation(transfer=t).select(ridge, {"global": features}, benchmark)[0]
        for t in ("raw", "quantile")
    }
    assert choices["quantile"].deltas == {"raw": choices["raw"].delta, "quantile": choices["quantile"].delta}


@pytest.mark.parametrize("option", [{"fold": 3}, {"folds": 0}, {"holdout": 1.0}, {"holdout": "much"}])
def test_unusable_options_of_a_rule_are_refused_before_any_work(option: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(option))):
        selection_rule("unseen-class", option)


def test_the_oracle_is_never_beaten_at_its_own_game(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, head = OracleTest().select(ridge, {"global": features}, benchmark)
    oracle = evaluate(head, {"global": features}, benchmark, choice.delta)
    assert pytest.approx(choice.metrics["H"]) == oracle.H
    for rule in LEAK_FREE:
        other, fitted = rule.select(ridge, {"global": features}, benchmark)
        assert evaluate(fitted, {"global": features}, benchmark, other.delta).H <= oracle.H  # type: ignore[operator]


def test_seen_validation_knows_no_delta_and_judges_seen_images(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = SeenValidation().select(ridge, {"global": features}, benchmark)
    assert choice.delta is None
    assert choice.transfer is None
    assert set(choice.metrics) == {"S"}


def test_failed_images_are_kept_from_the_head(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    usable = np.ones(120, bool)
    usable[benchmark.trainval[::7]] = False
    guarded = Guarded(features, np.flatnonzero(~usable))
    UnseenClassValidation().select(ridge, {"global": guarded}, benchmark, usable=usable)
    assert guarded.read


def test_a_setting_that_diverges_is_out_and_if_all_do_it_is_said(tiny: Tiny, ridge: Head) -> None:
    benchmark, features = tiny

    class Diverging(type(ridge)):  # type: ignore[misc]
        def fit_candidates(self, *args: Any, candidates: Sequence[Mapping[str, Any]] = (), **kw: Any) -> Iterator[Any]:
            for setting, head in super().fit_candidates(*args, **kw):
                if setting["alpha"] < 1e3 or self.epochs == 3:
                    head.weights_[0] = np.nan
                yield setting, head

    choice, _ = UnseenClassValidation().select(Diverging(), {"global": features}, benchmark)
    assert choice.params["alpha"] == 1e5
    assert [t.value is None for t in choice.trials] == [True] * 4 + [False] * 2
    json.dumps(choice.to_json(), allow_nan=False)
    with pytest.raises(ScoresError, match=r"none of the 9 settings of .* gave finite scores"):
        UnseenClassValidation().select(Diverging(epochs=3), {"global": features}, benchmark)


def test_equal_settings_are_settled_for_the_first(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = UnseenClassValidation().select(
        ridge.with_params(epochs=1), {"global": features}, benchmark, [{"alpha": 5.0}, {"alpha": 5}]
    )
    assert choice.params["alpha"] == 5.0
    assert isinstance(choice.params["alpha"], float)


def test_seeds_repeat(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    runs = [outcome(UnseenClassValidation(seed=s), ridge, features, benchmark)[0] for s in (4, 4, 5)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_wrong_options_are_refused(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    with pytest.raises(InputError, match="transfer must be raw or quantile"):
        UnseenClassValidation(transfer="guess")
    with pytest.raises(InputError, match="does not know the criterion 'accuracy'"):
        UnseenClassValidation(criterion="accuracy").select(ridge, {"global": features}, benchmark)
    assert list(SELECTIONS) == ["oracle", "seen", "unseen-class"]
