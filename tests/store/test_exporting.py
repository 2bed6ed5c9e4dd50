"""Exports are read by other code like the original files, and import as the same store."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import scipy.io

from zslpipe.data.benchmark import ClassSplit
from zslpipe.data.xlsa17 import read_xlsa17_folder
from zslpipe.errors import InputError
from zslpipe.store.exporting import export_h5, export_mat, export_npy
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.importing import import_features
from zslpipe.store.layout import TapSpec

FAILURE = Failure("x", "cut", "PIL")


def as_public_code_reads(folder):
    """The first lines of every public repository."""
    content = scipy.io.loadmat(str(folder / "res101.mat"))
    feature = content["features"].T
    label = content["labels"].astype(int).squeeze() - 1
    images = [x[0][0] for x in content["image_files"]]
    content = scipy.io.loadmat(str(folder / "att_splits.mat"))
    locs = {k: content[k].squeeze() - 1 for k in content if k.endswith("_loc")}
    names = [str(x[0][0]) for x in content["allclasses_names"]]
    return feature, label, images, locs, content["att"].T, content["original_att"].T, names


def test_mat_files_are_read_as_public_code_does(full, contents, tmp_path):
    done = export_mat(full, tmp_path / "out")
    assert [f.name for f in done.files] == ["res101.mat", "att_splits.mat"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["att_splits.mat", "res101.mat"]
    b = full.benchmark
    feature, label, images, locs, att, original, names = as_public_code_reads(tmp_path / "out")
    assert np.array_equal(feature, contents["global"])
    assert np.array_equal(label, b.labels)
    assert tuple(images) == b.image_ids
    assert tuple(names) == b.class_names
    assert np.array_equal(att, b.semantics)
    assert np.array_equal(original, b.semantics)
    for part in ("trainval", "test_seen", "test_unseen"):
        assert np.array_equal(locs[f"{part}_loc"], getattr(b, part))
        assert len(b.labels[locs[f"{part}_loc"]])  # integers, valid as indices


def test_the_validation_lists_hold_no_test_image(full, tmp_path):
    export_mat(full, tmp_path)
    _, label, _, locs, *_ = as_public_code_reads(tmp_path)
    train, val, trainval = locs["train_loc"], locs["val_loc"], locs["trainval_loc"]
    assert len(train)
    assert len(val)
    assert set(train) | set(val) == set(trainval)
    assert not set(label[train]) & set(label[val])


def test_a_store_comes_back_from_mat(full, tmp_path):
    export_mat(full, tmp_path / "tiny", image_prefix="/somewhere/else/images/")
    b = full.benchmark
    back = read_xlsa17_folder(tmp_path / "tiny", "tiny")
    for field in ("class_names", "image_ids"):
        assert getattr(back, field) == getattr(b, field)
    for field in ("semantics", "labels", "trainval", "test_seen", "test_unseen"):
        assert np.array_equal(getattr(back, field), getattr(b, field))
    store = import_features([tmp_path / "tiny" / "res101.mat"], b, tmp_path)
    assert np.array_equal(store.rows("global")[:], full.rows("global")[:])


def test_a_store_comes_back_from_h5_and_npy(full, contents, tmp_path):
    export_h5(full, tmp_path / "out" / "feature_map.hdf5")
    with h5py.File(tmp_path / "out" / "feature_map.hdf5") as file:
        maps = file["feature_map"]
        assert maps.shape == (120, 8, 2, 2)
        assert maps[5, 3, 1, 0] == contents["region"][5, 2, 3]
        assert np.array_equal(file["labels"], full.benchmark.labels)
        assert np.array_equal(file["trainval_loc"], full.benchmark.trainval)
        assert np.array_equal(file["att"], full.benchmark.semantics)
        assert file["image_files"].asstr()[7] == "0/7.jpg"
    store = import_features([tmp_path / "out" / "feature_map.hdf5"], full.benchmark, tmp_path)
    assert store.taps["region"] == full.taps["region"]
    assert np.array_equal(store.rows("region")[:], contents["region"])

    assert export_npy(full, tmp_path / "npy", "region").files[0].name == "region.npy"
    assert np.array_equal(np.load(tmp_path / "npy" / "region.npy"), contents["region"])
    assert np.load(tmp_path / "npy" / "region.npy").dtype == np.float16
    assert (tmp_path / "npy" / "image_files.txt").read_text().splitlines() == list(full.benchmark.image_ids)
    store = import_features([tmp_path / "npy" / "region.npy"], full.benchmark, tmp_path)
    assert np.array_equal(store.rows("region")[:], contents["region"])

    export_h5(full, tmp_path / "global.h5", "global")
    store = import_features([tmp_path / "global.h5"], full.benchmark, tmp_path)
    assert np.array_equal(store.rows("global")[:], contents["global"])


@pytest.mark.parametrize(("shape", "grid"), [((10, 3), (2, 5)), ((9, 3), (1, 9)), ((2, 5, 3), (2, 5)), ((10, 3), None)])
def test_maps_have_the_grid_of_the_store(tmp_path, benchmark_, shape, grid):
    spec = TapSpec(shape, "float32", grid)
    store = FeatureStore.create(tmp_path / "s", benchmark_, {"region": spec}, {"fingerprinted": {}, "recorded": {}})
    values = np.random.default_rng(0).normal(size=(120, *shape)).astype(np.float32)
    store.write_piece(0, {"region": values})
    export_h5(store, tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        maps = file["feature_map"][:]
    if grid is None:  # 3 x 3 after a class token
        assert np.array_equal(maps, values)
        return
    assert maps.shape == (120, 3, *grid)
    assert np.array_equal(maps[7, :, 0, 4], values[7, 0, 4] if len(shape) == 3 else values[7, 4])
    back = import_features([tmp_path / "x.h5"], benchmark_, tmp_path)
    assert back.taps["region"].grid == grid
    assert np.array_equal(back.rows("region")[:], values.reshape(120, -1, 3))


def test_images_without_features_or_class_are_left_out(tmp_path, benchmark_, contents):
    """Rows go, and every list of the same export points at where the others are now."""
    labels = benchmark_.labels.copy()
    labels[9] = -1  # a stray: no class
    b = replace(
        benchmark_,
        labels=labels,
        test_seen=benchmark_.test_seen[benchmark_.test_seen != 9],
        class_splits=(ClassSplit(tuple(range(6)), (6, 7, 8)),),
        attribute_vectors=np.ones((6, 3), np.float32),
    )
    store = FeatureStore.create(
        tmp_path / "s", b, {"global": TapSpec((16,), "float32")}, {"fingerprinted": {}, "recorded": {}}
    )
    store.write_piece(0, {"global": contents["global"]}, {3: FAILURE})
    with pytest.raises(InputError, match=r"1 images of .* failed, the first is 0/3.jpg"):
        export_mat(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    done = export_mat(store, tmp_path / "out", drop_failed=True)
    assert done.left_out.tolist() == [3, 9]
    feature, label, images, locs, *_ = as_public_code_reads(tmp_path / "out")
    assert len(feature) == len(label) == len(images) == 118
    for part in ("trainval", "test_seen", "test_unseen"):
        kept = [row for row in getattr(b, part) if row != 3]
        assert [images[i] for i in locs[f"{part}_loc"]] == [b.image_ids[row] for row in kept]
        assert np.array_equal(feature[locs[f"{part}_loc"]], contents["global"][kept])
    assert np.array_equal(np.unique(label[locs["val_loc"]]), [6, 7, 8])
    export_h5(store, tmp_path / "g.h5", "global", drop_failed=True)
    with h5py.File(tmp_path / "g.h5") as file:
        assert file["features"].shape == (118, 16)
        assert file["w2v_att"].shape == (6, 3)


def test_what_cannot_be_exported_is_refused(tmp_path, make, fill):
    store = fill(make(tmp_path / "s"), [0])
    with pytest.raises(InputError, match=r"88 of 120 rows .* are missing"):
        export_npy(store, tmp_path)
    fill(store)
    with pytest.raises(InputError, match=r"one vector per image, not .* as 'region'"):
        export_mat(store, tmp_path, "region")
    with pytest.raises(InputError, match="no tap 'trunk'"):
        export_h5(store, tmp_path / "x.h5", "trunk")


def test_a_failed_export_leaves_nothing(full, tmp_path, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setattr("zslpipe.store.exporting._split", lambda _: 1 / 0)
    for export in (lambda: export_h5(full, out / "x.h5"), lambda: export_mat(full, out)):
        with pytest.raises(ZeroDivisionError):
            export()
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.real
@pytest.mark.parametrize("dataset", ["cub", "flo"])
def test_a_real_benchmark_comes_back(data_root, tmp_path, dataset):
    from zslpipe.data.load import load_benchmark

    b = load_benchmark(dataset, data_root)
    store = FeatureStore.create(
        tmp_path / "s", b, {"global": TapSpec((5,))}, {"fingerprinted": {}, "recorded": {}}, 4000
    )
    rng = np.random.default_rng(0)
    for piece in store.missing_pieces():
        rows = store.piece_rows_of(piece)
        store.write_piece(piece, {"global": rng.normal(size=(len(rows), 5)).astype(np.float16)})
    export_mat(store, tmp_path / "out")
    back = read_xlsa17_folder(tmp_path / "out", b.name)
    assert (back.class_names, back.image_ids) == (b.class_names, b.image_ids)
    for field in ("semantics", "labels", "trainval", "test_seen", "test_unseen"):
        assert np.array_equal(getattr(back, field), getattr(b, field))
    again = import_features([tmp_path / "out" / "res101.mat"], back, tmp_path)
    assert np.array_equal(again.rows("global")[:], store.rows("global")[:])
