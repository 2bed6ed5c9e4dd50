import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.curve import share_flipped
from zslpipe.evaluation.expected import Expected, best_expected_delta
from zslpipe.evaluation.protocol import TestScores, evaluate, score_tests
from zslpipe.evaluation.stacking import ScoresError, rivals
from zslpipe.parts.head import Head
from zslpipe.selection import SELECTIONS, Selection, SelectionResult, selection_rule
from zslpipe.selection.fitting import fit, score_held_out
from zslpipe.selection.rules import TRANSFERS, OracleTest, SeenValidation, UnseenClassValidation
from zslpipe.store.rows import take

Tiny = tuple[Benchmark, np.ndarray]
LEAK_FREE = [*(UnseenClassValidation(transfer=t) for t in TRANSFERS), SeenValidation()]
ids = [f"{r.name}-{getattr(r, 'transfer', '')}" for r in LEAK_FREE]


class Guarded:
    """Rows that raise if a forbidden one is read, and record which were read."""

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


def others_of(tests: TestScores) -> np.ndarray:
    assert tests.others is not None
    return tests.others


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


@pytest.mark.parametrize("rule", LEAK_FREE, ids=ids)
@pytest.mark.parametrize("kept", [0, 1, 7], ids=["none", "one", "of one class"])
def test_which_classes_have_test_images_changes_nothing(rule: Selection, ridge: Head, tiny: Tiny, kept: int) -> None:
    benchmark, features = tiny
    fewer = replace(benchmark, test_unseen=benchmark.test_unseen[:kept], test_seen=benchmark.test_seen[:kept])
    one, other = outcome(rule, ridge, features, benchmark), outcome(rule, ridge, features, fewer)
    assert one[0] == other[0]
    assert (one[1] == other[1]).all()


@pytest.mark.parametrize("rule", LEAK_FREE, ids=ids)
def test_more_test_images_change_nothing(rule: Selection, ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    added = np.arange(40) + len(features)
    more = replace(
        benchmark,
        image_ids=(*benchmark.image_ids, *(f"more/{i}.jpg" for i in added)),
        labels=np.concatenate([benchmark.labels, np.repeat([9, 0], 20)]),
        test_unseen=np.concatenate([benchmark.test_unseen, added[:20]]),
        test_seen=np.concatenate([benchmark.test_seen, added[20:]]),
    )
    poisoned = np.concatenate([features, np.full((40, features.shape[1]), np.nan, np.float32)])
    one, other = outcome(rule, ridge, features, benchmark), outcome(rule, ridge, poisoned, more)
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
    held = score_held_out(ridge, {"global": features}, benchmark, 0.4, 0, {"": choice.params})[""]
    margins = rivals(held.scores, held.seen).margin
    assert share_flipped(margins, choice.delta) == pytest.approx(choice.metrics["flipped"], abs=1 / len(margins))


def test_raw_transfer_takes_the_best_common_delta_of_the_folds(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choice, _ = UnseenClassValidation(transfer="raw", folds=1).select(ridge, {"global": features}, benchmark)
    assert choice.delta == choice.metrics["delta"]
    assert choice.transfer == "raw"


def test_what_the_other_transfer_would_have_given_is_told(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny
    choices = {
        t: UnseenClassValidation(transfer=t).select(ridge, {"global": features}, benchmark)[0] for t in TRANSFERS
    }
    assert choices["matched"].deltas == choices["quantile"].deltas == {t: choices[t].delta for t in TRANSFERS}
    assert choices["raw"].deltas == {"raw": choices["raw"].delta}


def test_matched_transfer_scales_the_best_delta_of_folds_with_as_many_unseen_classes(ridge: Head, tiny: Tiny) -> None:
    benchmark, features = tiny  # 3 unseen classes; folds of 9 seen classes hold out 2
    rule = UnseenClassValidation(holdout=0.4)
    choice, _ = rule.select(ridge, {"global": features}, benchmark)
    head = ridge.with_params(**choice.params)
    assert len(rule.problems(benchmark)) == 3
    assert len(rule.more_problems(benchmark)) == 2  # so that each seen class is held out once
    curves, spreads = [], []
    for fold in (*rule.problems(benchmark), *rule.more_problems(benchmark)):
        others = benchmark.semantics[benchmark.unseen_classes]
        tests = score_tests(fit(head, {"global": features}, fold), {"global": features}, fold, others)
        curves.append(Expected.of(tests, 3))
        spreads.append(np.hstack([tests.scores, others_of(tests)])[tests.seen[tests.labels]].std(1).mean())
    held = score_held_out(ridge, {"global": features}, benchmark, 0.4, 0, {"": choice.params})[""]
    scale = held.scores.std(1).mean() / np.mean(spreads)
    assert choice.delta == pytest.approx(best_expected_delta(curves) * scale, rel=1e-5)
    assert choice.carried is not None
    assert (choice.carried.unseen, choice.carried.unseen_in_folds) == (3, 2)
    assert choice.carried.scale == pytest.approx(scale, rel=1e-5)
    assert (
        f"matched to 3 unseen classes (2 in each fold) and to scores that spread {scale:.2f} times"
        in choice.about_delta
    )


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
    with pytest.raises(InputError, match="transfer must be matched, quantile or raw"):
        UnseenClassValidation(transfer="guess")
    with pytest.raises(InputError, match="does not know the criterion 'accuracy'"):
        UnseenClassValidation(criterion="accuracy").select(ridge, {"global": features}, benchmark)
    assert list(SELECTIONS) == ["oracle", "seen", "unseen-class"]
