"""zslpipe derive: the store of a head's embeddings is complete, resumable, repairable and selected on fold by fold."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError, LeakError, ZslpipeError
from zslpipe.store import layout
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec
from zslpipe.store.verify import verify
from zslpipe.workflows import derive
from zslpipe.workflows.derive import derive_store
from zslpipe.workflows.run_record import write_record
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

TAPS = ["global", "global_fold1", "global_fold2", "global_fold3", "global_fold4", "global_fold5", "global_fold6"]
Tiny = tuple[Benchmark, np.ndarray]
SETTINGS = {"epochs": 3, "batch": 16}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(layout.good_piece_rows, "__defaults__", (2000,))  # several pieces
    return Workspace.at(tmp_path)


def make_store(workspace: Workspace, data: Tiny, failed: tuple[int, ...] = ()) -> FeatureStore:
    benchmark, features = data
    provenance = {"fingerprinted": {"backbone": {"name": "fake"}, "failed": list(failed)}, "recorded": {}}
    taps = {"global": TapSpec(features.shape[1:], "float32")}
    store = FeatureStore.create(workspace.stores / f"parent{len(failed)}", benchmark, taps, provenance, 50)
    for piece in store.missing_pieces():
        rows = store.piece_rows_of(piece)
        failures = {row: Failure(benchmark.image_ids[row], "cut", "PIL") for row in failed if row in rows}
        store.write_piece(piece, {"global": features[rows.start : rows.stop]}, failures)
    return store


@pytest.fixture
def parent(workspace: Workspace, tiny: Tiny) -> FeatureStore:
    return make_store(workspace, tiny)


@pytest.fixture
def run(workspace: Workspace, parent: FeatureStore) -> Run:
    return train_head(workspace, "remse", parent, settings=SETTINGS)[0]


@pytest.fixture
def files() -> Callable[[Path], dict[str, bytes]]:
    def read(root: Path) -> dict[str, bytes]:
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}

    return read


Files = Callable[[Path], dict[str, bytes]]


def test_every_version_is_what_its_own_model_makes(workspace: Workspace, run: Run, parent: FeatureStore) -> None:
    store = derive_store(workspace, run.name).store
    assert store.complete
    assert store.pieces > 2
    assert list(store.taps) == TAPS
    assert (store.fingerprint, store.dataset) != (parent.fingerprint, "")
    expected = run.head(0).embed(parent.features())  # type: ignore[attr-defined]
    np.testing.assert_allclose(store.rows("global")[:], expected, rtol=1e-5, atol=1e-6)
    for version in store.versions[1:]:
        assert not np.allclose(store.rows(version.tap)[:], expected)
    about = store.provenance["fingerprinted"]
    assert about["backbone"] == {"name": "fake+remse"}
    assert about["derived"]["parent"] == parent.fingerprint
    assert about["derived"]["model"]["head"] == "remse"
    assert store.versions[0].classes == parent.benchmark.class_names[:9]
    assert np.flatnonzero(store.versions[0].images).tolist() == parent.benchmark.trainval.tolist()
    assert [len(v.classes) for v in store.versions[1:]] == [7, 7, 7, 7, 7, 9]
    assert len({v.model for v in store.versions}) == 7


def test_another_call_finds_it(workspace: Workspace, run: Run) -> None:
    first = derive_store(workspace, run.name)
    assert (first.computed, first.reused) == (120, 0)
    again = derive_store(workspace)
    assert (again.computed, again.reused, again.store.path) == (0, 120, first.store.path)
    assert run.name in again.notes[0]


@pytest.mark.parametrize("where", ["between folds", "between pieces"])
def test_an_interrupted_call_resumes_with_the_same_bytes(
    workspace: Workspace, run: Run, files: Files, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    import shutil

    reference = derive_store(workspace, run.name).store
    expected, models = files(reference.path), files(run.path / "seed-0" / "folds")
    shutil.rmtree(reference.path)
    shutil.rmtree(run.path / "seed-0" / "folds")
    calls = []
    place, name = (derive, "fit") if where == "between folds" else (FeatureStore, "write_piece")
    original = getattr(place, name)

    def interrupted(*args: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(place, name, interrupted)
    with pytest.raises(KeyboardInterrupt):
        derive_store(workspace, run.name)
    resumed = derive_store(workspace, run.name)
    if where == "between folds":
        assert len(calls) == 3 + 4  # two of six were fitted before
    else:
        assert 0 < resumed.reused < 120
    assert files(resumed.store.path) == expected
    assert files(run.path / "seed-0" / "folds") == models
    assert not list((workspace.cache / "checkpoints").glob("*/*"))


def test_damage_is_found_and_repaired(workspace: Workspace, run: Run, files: Files) -> None:
    store = derive_store(workspace, run.name).store
    before = files(store.path)
    chunk = store.path / "features.zarr" / "global_fold2" / "c.1.0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\xff")
    assert [(d.piece, d.part) for d in verify(store)] == [(1, "global_fold2")]
    repaired = CliRunner().invoke(main, ["cache", "repair", store.path.name, "--json"], catch_exceptions=False)
    done = json.loads(repaired.stdout)
    assert (done["damaged"], done["rows"]) == (1, len(store.piece_rows_of(1)))
    assert files(store.path) == before
    assert verify(store) == []


def test_a_changed_model_does_not_repair_a_store(workspace: Workspace, run: Run, parent: FeatureStore) -> None:
    store = derive_store(workspace, run.name, folds=False).store
    other, _ = train_head(workspace, "remse", parent, settings={**SETTINGS, "epochs": 1})
    for file in ("head.safetensors", "head.json"):
        (run.path / "seed-0" / file).write_bytes((other.path / "seed-0" / file).read_bytes())
    write_record(run.path, run.about)
    store.forget([0])
    repaired = CliRunner().invoke(main, ["cache", "repair", store.path.name])
    assert repaired.exit_code == 2
    assert "has changed since" in repaired.stderr
    assert store.path.name in repaired.stderr


def test_selection_uses_the_versions_of_its_folds(workspace: Workspace, run: Run) -> None:
    store = derive_store(workspace, run.name).store
    trained, _ = train_head(workspace, "eszsl", store)
    assert trained.about["store"]["backbone"] == "fake+remse"
    with pytest.raises(LeakError, match="for this selection rule and seed"):
        train_head(workspace, "eszsl", store, seeds=[1])
    with pytest.raises(LeakError):
        train_head(workspace, "eszsl", store, selection_options={"holdout": 0.4})
    evaluated = CliRunner().invoke(main, ["eval", trained.name, "--gzsl", "--calibrate"], catch_exceptions=False)
    assert evaluated.exit_code == 0


def test_other_seeds_and_rules_can_be_asked_for(workspace: Workspace, run: Run) -> None:
    more = derive_store(workspace, run.name, seeds=range(2)).store
    assert len(more.versions) == 13
    train_head(workspace, "eszsl", more, seeds=[0, 1])
    seen = derive_store(workspace, run.name, selection="seen", selection_options={"holdout": 0.3}).store
    assert len(seen.versions) == 2
    train_head(workspace, "eszsl", seen, selection="seen", selection_options={"holdout": 0.3})


def test_the_final_version_alone_is_refused_by_the_command(workspace: Workspace, run: Run) -> None:
    derived = CliRunner().invoke(main, ["derive", run.name, "--final-only", "--json"], catch_exceptions=False)
    result = json.loads(derived.stdout)
    assert list(result["taps"]) == list(result["labels_seen"]) == ["global"]
    refused = CliRunner().invoke(main, ["train-head", "eszsl", "--store", result["store"]])
    assert refused.exit_code == 2
    assert "was made by a model that has seen labels of 'class" in refused.stderr
    assert "unseen classes of this problem): derive it fold-wise" in refused.stderr
    oracle = CliRunner().invoke(main, ["train-head", "eszsl", "--store", result["store"], "--selection", "oracle"])
    assert oracle.exit_code == 0


def test_what_a_parents_model_knew_is_known_here_too(workspace: Workspace, run: Run) -> None:
    first = derive_store(workspace, run.name).store
    second, _ = train_head(workspace, "remse", first, settings=SETTINGS)
    store = derive_store(workspace, second.name).store
    for one, other in zip(first.versions, store.versions):
        assert one.classes == other.classes
        assert np.array_equal(one.images, other.images)
    train_head(workspace, "eszsl", store)
    only_final = derive_store(workspace, run.name, folds=False).store
    third, _ = train_head(workspace, "remse", only_final, settings=SETTINGS, selection="oracle")
    assert derive_store(workspace, third.name).store.versions[0].classes == first.versions[0].classes
    with pytest.raises(LeakError):
        derive_store(workspace, third.name, selection="unseen-class")


def test_failed_images_fail_here_too(workspace: Workspace, tiny: Tiny) -> None:
    failed = (3, 60, 119)
    parent = make_store(workspace, tiny, failed=failed)
    run, _ = train_head(workspace, "remse", parent, settings=SETTINGS)
    store = derive_store(workspace, run.name).store
    assert store.failures == parent.failures
    assert np.array_equal(store.status, parent.status)
    assert not store.rows("global")[list(failed)].any()
    assert not store.versions[0].images[list(failed)].any()
    train_head(workspace, "eszsl", store)


def test_a_piece_of_failed_images_only(workspace: Workspace, tiny: Tiny) -> None:
    parent = make_store(workspace, tiny, failed=tuple(range(100, 120)))  # test images of two unseen classes
    run, _ = train_head(workspace, "remse", parent, settings=SETTINGS)
    store = derive_store(workspace, run.name).store
    assert any(set(store.piece_rows_of(piece)) <= set(range(100, 120)) for piece in range(store.pieces))
    assert set(store.failures) == set(range(100, 120))


def test_what_cannot_be_derived_is_refused(workspace: Workspace, run: Run, parent: FeatureStore) -> None:
    eszsl, _ = train_head(workspace, "eszsl", parent)
    with pytest.raises(InputError, match=r"head 'eszsl' of run .* has no embedding: train one of .*remse"):
        derive_store(workspace, eszsl.name)
    with pytest.raises(InputError, match="has no seed 4; available: 0"):
        derive_store(workspace, run.name, seed=4)
    with pytest.raises(InputError, match="unknown run"):
        derive_store(workspace, "nothing")
    with pytest.raises(InputError, match="unknown option of unseen-class 'fold'"):
        derive_store(workspace, run.name, selection="unseen-class", selection_options={"fold": 2})
    kept = parent.benchmark.keep(np.arange(120) != 3)
    (run.path / "benchmark.npz").unlink()
    kept.save(run.path / "benchmark.npz")
    write_record(run.path, run.about)
    with pytest.raises(InputError, match=r"usable rows of .* have changed since run"):
        derive_store(workspace, run.name)
    parent.forget([1])
    with pytest.raises(InputError, match=r"50 rows of .* are missing: finish the extraction or repair the store first"):
        derive_store(workspace, run.name)
    usage = CliRunner().invoke(main, ["derive", run.name, "--rule", "folds=2"])
    assert usage.exit_code == 2
    assert "--rule needs --selection" in usage.stderr


def test_semantics_of_the_run_are_those_of_its_folds(
    workspace: Workspace, parent: FeatureStore, tmp_path: Path
) -> None:
    given = np.random.default_rng(3).normal(size=(12, 4)).astype(np.float32)
    np.save(tmp_path / "other.npy", given)
    run, _ = train_head(workspace, "remse", parent, settings=SETTINGS, semantics=str(tmp_path / "other.npy"))
    store = derive_store(workspace, run.name).store
    assert {spec.shape for spec in store.taps.values()} == {(4,)}
    assert np.array_equal(store.benchmark.semantics, parent.benchmark.semantics)


def test_a_damaged_head_of_a_fold_is_refused(workspace: Workspace, run: Run) -> None:
    derive_store(workspace, run.name)
    before = list(workspace.stores.iterdir())
    for file in ("head.safetensors", "head.json"):
        path = next((run.path / "seed-0" / "folds").glob(f"*/{file}"))
        whole = path.read_bytes()
        content = bytearray(whole)
        content[content.index(b"0.", len(content) // 3) if file == "head.json" else -9] ^= 1
        path.write_bytes(content)
        with pytest.raises(ZslpipeError, match=rf"{file} is damaged"):
            derive_store(workspace, run.name)
        path.write_bytes(whole)
    assert list(workspace.stores.iterdir()) == before


def test_what_a_kill_has_left_is_swept(workspace: Workspace, run: Run) -> None:
    left = workspace.cache / "checkpoints" / ".abc.1234.removed"
    left.mkdir(parents=True)
    derive_store(workspace, run.name)
    assert not left.exists()
