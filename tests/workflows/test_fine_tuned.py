"""From fine-tuning to a store that says whose labels it saw, and on to predictions."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from zslpipe.errors import InputError, LeakError
from zslpipe.store.feature_store import FeatureStore
from zslpipe.workflows.evaluate import evaluate_runs
from zslpipe.workflows.explain import explain_images
from zslpipe.workflows.extract import extract_store
from zslpipe.workflows.fine_tuned import KEY, FineTuned
from zslpipe.workflows.predict import predictor_of
from zslpipe.workflows.remake import remake
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

HEAD = {"branch": "global", "epochs": 2, "batch": 16, "device": "cpu", "learning_rate": 0.02, "tail_rate": 1.0}
RULE = {"folds": 2}


@pytest.fixture
def workspace(sun_root: Path) -> Workspace:
    return Workspace(data_root=sun_root, cache=sun_root.parent / "cache")


def extract(workspace: Workspace, weights: str = "random", **options: object) -> FeatureStore:
    own = {"dataset": "sun", "backbone": "test_resnet", "image_size": 64} if weights == "random" else {}
    given = {"weights": weights, "device": "cpu", "dtype": "float32", "taps": ("global", "trunk"), **own, **options}
    return extract_store(workspace, **given).store  # type: ignore[arg-type]


def train(workspace: Workspace, store: FeatureStore, head: str = "remse", **settings: object) -> Run:
    run, _ = train_head(workspace, head, store, settings={**HEAD, **settings}, selection_options=RULE)
    return run


def test_the_store_of_a_fine_tuned_backbone(workspace: Workspace) -> None:
    parent = extract(workspace)
    run = train(workspace, parent, mode="tail")
    benchmark = run.benchmark
    (evaluation,) = evaluate_runs(workspace, [run.name])
    assert np.isfinite(evaluation.results[0].H)

    tuned = extract(workspace, run.name)
    assert tuned.fingerprint != parent.fingerprint
    assert {v.tap for v in tuned.versions} == {"global"}  # its trunk is that of the parent
    (version,) = tuned.versions
    assert set(np.flatnonzero(version.images)) == set(benchmark.trainval)
    np.testing.assert_allclose(tuned.rows("trunk")[:], parent.rows("trunk")[:], atol=1e-5)
    embedded = run.head(0).embed(parent.features())  # type: ignore[attr-defined]
    linear = run.head(0).module_.net  # type: ignore[attr-defined]
    again = tuned.rows("global")[:] * float(linear.scale) @ linear.layers[0].weight.detach().numpy().T
    np.testing.assert_allclose(again + linear.layers[0].bias.detach().numpy(), embedded, rtol=1e-3, atol=1e-3)
    with pytest.raises(LeakError, match=r"has seen labels of .* zslpipe extract --weights RUN --folds"):
        train(workspace, tuned)

    folds = extract(workspace, run.name, folds=True)
    assert {v.of for v in folds.versions} == {"global"}
    # Four folds of two classes hold out all of the seven seen ones; one more for the refit, and the final backbone.
    assert len(folds.versions) == 6
    assert "trunk_fold1" not in folds.taps
    np.testing.assert_array_equal(folds.rows("global")[:], tuned.rows("global")[:])
    assert not np.allclose(folds.rows("global_fold1")[:], folds.rows("global")[:], atol=1e-3)
    on_tuned = train(workspace, folds)
    with pytest.raises(LeakError, match="cannot be trained further on these features"):
        train(workspace, folds, mode="tail")

    images = [str(benchmark.image_root / one) for one in benchmark.image_ids[:3]]
    for one, store in ((run, parent), (on_tuned, folds)):
        predictor = predictor_of(workspace, one, device="cpu")
        kept = {tap: store.rows(tap)[:3] for tap in one.head(0).fitted_problem.stored}
        expected = [p.candidates[0].score for p in predictor.rank(images, kept)]
        assert [p.candidates[0].score for p in predictor.predict(images)] == pytest.approx(expected, rel=1e-2)

    another = workspace.cache / "another.jpg"
    shutil.copy(images[0], another)
    stored, opened = explain_images(workspace, run.name, [benchmark.image_ids[0], str(another)], device="cpu")
    best = predictor_of(workspace, run, device="cpu").predict(images[:1])[0].candidates[0]
    assert [stored.explanation.predicted, opened.explanation.predicted] == [best.name] * 2

    folds.forget([0])
    assert remake(workspace, folds) > 0
    assert folds.complete or FeatureStore.open(folds.path).complete


def test_end_to_end_is_evaluated_and_predicts(workspace: Workspace) -> None:
    store = extract(workspace)
    run = train(workspace, store, mode="end-to-end", train_from="layer3", epochs=1, workers=0)
    (evaluation,) = evaluate_runs(workspace, [run.name])
    assert np.isfinite(evaluation.results[0].H)
    benchmark = run.benchmark
    predictor = predictor_of(workspace, run, device="cpu")
    files = [str(benchmark.image_root / one) for one in benchmark.image_ids[:3]]
    expected = [p.candidates[0].score for p in predictor.rank(files, {"image": np.array(files)})]
    assert [p.candidates[0].score for p in predictor.predict(files)] == pytest.approx(expected, rel=1e-3)
    tuned = extract(workspace, str(run.path))
    assert {v.tap for v in tuned.versions} == {"global", "trunk"}


def test_what_cannot_be_extracted_is_told(workspace: Workspace) -> None:
    store = extract(workspace)
    frozen = train(workspace, store)
    with pytest.raises(InputError, match=r"has trained no layers of its backbone: train it with .* --mode tail"):
        extract(workspace, frozen.name)
    with pytest.raises(InputError, match="weights 'random' have no folds"):
        extract(workspace, folds=True)


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"images": 3}', "[" * 100_000])
def test_weights_that_do_not_say_which_labels_they_saw(tmp_path: Path, said: str) -> None:
    path = tmp_path / "backbone.safetensors"
    save_file({"a": np.zeros(3, np.float32)}, path, metadata={KEY: said})
    with pytest.raises(InputError, match="does not say which labels its backbone has seen"):
        FineTuned.read(path)
