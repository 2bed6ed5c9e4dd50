"""Imported features are exact and checked, in every supported format."""

import re
from dataclasses import replace

import h5py
import numpy as np
import pytest
import scipy.io

from zslpipe.errors import InputError
from zslpipe.store import layout
from zslpipe.store.catalog import stores
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.importing import import_features
from zslpipe.store.row_order import same_image


@pytest.fixture
def tables(tiny):
    """features (120, 16), labels from 1, and image paths as another machine had them."""
    benchmark, features = tiny
    paths = [f"/BS/somebody/tiny/images/{image}" for image in benchmark.image_ids]
    return features, benchmark.labels + 1, paths


def cells(strings):
    column = np.empty((len(strings), 1), object)
    column[:, 0] = strings
    return column


def mat5(path, features, labels, paths):
    scipy.io.savemat(path, {"features": features.T, "labels": labels.reshape(-1, 1), "image_files": cells(paths)})
    return path


def mat73(path, features, labels, paths):
    """As MATLAB writes it: the transpose of what it shows, cells as references to rows of UTF-16 codes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["features"] = features
        file["labels"] = labels.reshape(1, -1).astype(float)
        refs = np.empty((1, len(paths)), h5py.ref_dtype)
        for i, text in enumerate(paths):
            cell = file.create_dataset(f"#refs#/{i}", data=np.array([[ord(c)] for c in text], np.uint16))
            cell.attrs["MATLAB_class"] = np.bytes_("char")
            refs[0, i] = cell.ref
        cell = file.create_dataset("image_files", data=refs, dtype=h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
    return path


@pytest.mark.parametrize("write", [mat5, mat73])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_both_kinds_of_mat_are_exact(tmp_path, tiny, tables, write, dtype):
    benchmark, features = tiny
    file = write(tmp_path / "res101.mat", features.astype(dtype), *tables[1:])
    store = import_features([file], benchmark, tmp_path)
    assert store.complete
    assert store.taps["global"].dtype == "float32"
    assert np.array_equal(store.rows("global")[:], features)
    assert store.path.name.startswith("tiny-res101-")
    assert [s.backbone for s in stores(tmp_path)] == ["res101"]
    assert store.provenance["recorded"]["files"]["global"] == {"name": "res101.mat", "dtype": str(np.dtype(dtype))}


def test_region_maps_become_rows_of_regions(tmp_path, tiny):
    benchmark, _ = tiny
    maps = np.random.default_rng(0).normal(size=(120, 8, 3, 4)).astype(np.float32)
    with h5py.File(tmp_path / "feature_map_ResNet_101_TINY.hdf5", "w") as file:
        file.create_dataset("feature_map", data=maps, compression="gzip")
        file["labels"] = benchmark.labels  # these count from 0
        file["trainval_loc"] = benchmark.trainval
    store = import_features([tmp_path / "feature_map_ResNet_101_TINY.hdf5"], benchmark, tmp_path)
    regions = store.rows("region")[:]
    assert regions.shape == (120, 12, 8)
    for n, c, h, w in [(0, 0, 0, 0), (5, 7, 2, 1), (119, 3, 1, 3)]:
        assert regions[n, h * 4 + w, c] == maps[n, c, h, w]
    np.save(tmp_path / "last.npy", maps[..., :3].transpose(0, 2, 3, 1))  # (N, H, W, C)
    channels_last = import_features([tmp_path / "last.npy"], benchmark, tmp_path)
    assert np.array_equal(channels_last.rows("region")[:], maps[..., :3].reshape(120, 8, 9).transpose(0, 2, 1))


def test_grids_that_are_not_square_are_kept(tmp_path, tiny):
    benchmark, _ = tiny
    maps = np.random.default_rng(0).normal(size=(120, 8, 2, 5)).astype(np.float32)
    np.save(tmp_path / "maps.npy", maps)
    np.save(tmp_path / "regions.npy", maps.reshape(120, 8, 10).transpose(0, 2, 1))
    from_maps = import_features([tmp_path / "maps.npy"], benchmark, tmp_path)
    from_regions = import_features([tmp_path / "regions.npy"], benchmark, tmp_path, grid=(2, 5))
    for store in (from_maps, from_regions):
        assert FeatureStore.open(store.path).taps["region"].grid == (2, 5)
    usual = import_features([tmp_path / "regions.npy"], benchmark, tmp_path)  # 10 regions: a class token and 3 x 3
    assert usual.taps["region"].grid == (3, 3)
    assert usual.fingerprint != from_regions.fingerprint


def test_a_square_grid_changes_nothing(tmp_path, tiny, files):
    np.save(tmp_path / "regions.npy", np.ones((120, 9, 8), np.float32))
    stated = import_features([tmp_path / "regions.npy"], tiny[0], tmp_path / "stated", grid=(3, 3))
    usual = import_features([tmp_path / "regions.npy"], tiny[0], tmp_path / "usual")
    assert stated.path.name == usual.path.name
    assert files(stated.path) == files(usual.path)


@pytest.mark.parametrize("grid", [(3, 4), (0, 5), (-2, -5), (5, 2)])
def test_a_wrong_grid_is_refused(tmp_path, tiny, grid):
    np.save(tmp_path / "maps.npy", np.ones((120, 8, 2, 5), np.float32))
    with pytest.raises(InputError, match=r"maps.npy has a grid \(2, 5\), not a grid"):
        import_features([tmp_path / "maps.npy"], tiny[0], tmp_path, grid=grid)
    np.save(tmp_path / "regions.npy", np.ones((120, 9, 8), np.float32))
    with pytest.raises(InputError, match=r"regions.npy has 9 regions, not a grid"):
        import_features([tmp_path / "regions.npy"], tiny[0], tmp_path, grid=grid)
    np.save(tmp_path / "global.npy", np.ones((120, 8), np.float32))
    with pytest.raises(InputError, match=r"global.npy has no regions"):
        import_features([tmp_path / "global.npy"], tiny[0], tmp_path, grid=grid)


def test_numpy_files_keep_their_precision(tmp_path, tiny):
    benchmark, features = tiny
    np.save(tmp_path / "half.npy", features.astype(np.float16))
    half = import_features([tmp_path / "half.npy"], benchmark, tmp_path)
    assert half.taps["global"].dtype == "float16"
    assert np.array_equal(half.rows("global")[:], features.astype(np.float16))
    np.savez(tmp_path / "f.npz", mine=features.T, labels=benchmark.labels, image_ids=np.array(benchmark.image_ids))
    with pytest.raises(InputError, match="no features in"):
        import_features([tmp_path / "f.npz"], benchmark, tmp_path)
    turned = import_features([tmp_path / "f.npz"], benchmark, tmp_path, key="mine", dtype="float16", tap="late")
    assert np.array_equal(turned.rows("late")[:], features.astype(np.float16))


def test_several_taps_from_several_files(tmp_path, tiny, tables):
    benchmark, features = tiny
    mat = mat5(tmp_path / "res101.mat", *tables)
    splits = tmp_path / "att_splits.mat"
    scipy.io.savemat(splits, {"att": benchmark.semantics.T})
    regions = np.ones((120, 4, 8), np.float16)
    np.save(tmp_path / "regions.npy", regions)
    store = import_features([mat, splits, tmp_path / "regions.npy"], benchmark, tmp_path)
    assert np.array_equal(store.rows("global")[:], features)
    assert np.array_equal(store.rows("region")[:], regions)
    with pytest.raises(InputError, match="two files have global"):
        import_features([mat, mat], benchmark, tmp_path)
    with pytest.raises(InputError, match="one by one"):
        import_features([mat, tmp_path / "regions.npy"], benchmark, tmp_path, tap="global")


def test_an_import_is_resumed(tmp_path, tiny, tables, monkeypatch, files):
    benchmark, _ = tiny
    monkeypatch.setattr(layout.good_piece_rows, "__defaults__", (16 * 4 * 16,))  # pieces of 16 rows
    file = mat5(tmp_path / "res101.mat", *tables)
    store = import_features([file], benchmark, tmp_path)
    assert store.pieces == 8
    before = files(store.path)
    store.forget([2, 5])
    again = import_features([file], benchmark, tmp_path)
    assert again.path == store.path
    assert files(store.path) == before


def test_the_rows_must_be_the_benchmarks(tmp_path, tiny, tables):
    benchmark, features = tiny
    _, labels, paths = tables

    def refused(file, message, of=benchmark):
        with pytest.raises(InputError, match=message) as caught:
            import_features([file], of, tmp_path)
        assert str(file) in str(caught.value)
        assert stores(tmp_path) == []

    wrong = labels.copy()
    wrong[[17, 30]] = 9
    refused(mat5(tmp_path / "a.mat", features, wrong, paths), r"row 17 has label 9, but 1/7.jpg has 2 in tiny")
    refused(mat5(tmp_path / "b.mat", features, labels, [*paths[1:], paths[0]]), "row 0 has label 12, but 0/0.jpg has 1")
    refused(mat5(tmp_path / "g.mat", features, labels, [*paths[1:], "0/x.jpg"]), "has no row for image 0/0.jpg of tiny")
    names = [path.rpartition("/")[2] for path in paths]
    refused(mat5(tmp_path / "h.mat", features, labels, [*paths[:1], *names[:0:-1]]), "may both be image")
    refused(mat5(tmp_path / "c.mat", features, labels[:-1], paths), "119 labels for 120 images")
    refused(mat5(tmp_path / "d.mat", features, labels, paths[:-1]), "119 image_files for 120 images")
    refused(mat5(tmp_path / "e.mat", features[:-1], labels, paths), re.escape("(119, 16)") + ".*has 120 images")
    half = replace(
        benchmark,
        labels=np.where(np.arange(120) == 5, -1, benchmark.labels),
        trainval=benchmark.trainval[benchmark.trainval != 5],
    )
    wrong = labels.copy()
    wrong[5] = 99  # an image without a class may have any label
    import_features([mat5(tmp_path / "f.mat", features, wrong, paths)], half, tmp_path)


@pytest.mark.parametrize("write", [mat5, mat73])
def test_named_rows_are_put_in_order(tmp_path, tiny, tables, write, monkeypatch):
    benchmark, features = tiny
    monkeypatch.setattr(layout.good_piece_rows, "__defaults__", (16 * 4 * 16,))  # several pieces
    order = np.random.default_rng(0).permutation(len(features))
    _, labels, paths = tables
    file = write(tmp_path / "shuffled.mat", features[order], labels[order], [paths[row] for row in order])
    store = import_features([file], benchmark, tmp_path)
    assert store.pieces > 1
    assert np.array_equal(store.rows("global")[:], features)
    assert store.provenance["recorded"]["reordered"] == ["global"]
    same = import_features([write(tmp_path / "same.mat", features, labels, paths)], benchmark, tmp_path)
    assert same.provenance["recorded"]["reordered"] == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named_by_row(tmp_path, tiny, tables, bad):
    benchmark, features = tiny
    features = features.copy()
    features[77, 3] = bad
    with pytest.raises(InputError, match=r"x.mat: row 77 .* NaN or infinity"):
        import_features([mat5(tmp_path / "x.mat", features, *tables[1:])], benchmark, tmp_path)
    assert stores(tmp_path) == []  # a store that can never be finished does not stay
    features[77, 3] = 1e30
    file = mat5(tmp_path / "x.mat", features, *tables[1:])
    with pytest.raises(InputError, match="row 77 is too large for float16"):
        import_features([file], benchmark, tmp_path, dtype="float16")
    assert import_features([file], benchmark, tmp_path).rows("global")[77,][3] == np.float32(1e30)


@pytest.mark.parametrize("name", ["a.mat", "a.h5", "a.npy", "a.npz", "a.txt", "gone.npy"])
def test_unreadable_files_are_refused_by_name(tmp_path, tiny, name):
    if not name.startswith("gone"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 nothing of the sort" * 20)
    with pytest.raises(InputError, match=name):
        import_features([tmp_path / name], tiny[0], tmp_path)


def test_nothing_is_unpickled(tmp_path, tiny):
    ran = []

    class Trap:
        def __reduce__(self):
            return ran.append, (1,)

    np.save(tmp_path / "a.npy", np.array([Trap()] * 120, object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", features=np.array([Trap()] * 120, object))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(InputError):
            import_features([tmp_path / name], tiny[0], tmp_path)
    assert not ran


def test_names_of_one_image():
    assert same_image("/BS/x/images/001.A/b.jpg", "001.A/b.jpg")
    assert same_image("b.jpg", "001.A/b.jpg")
    assert same_image("C:\\x\\001.A\\b.jpg", "001.A/b.jpg#2")
    assert not same_image("002.B/b.jpg", "001.A/b.jpg")
    assert not same_image("1.A/b.jpg", "001.A/b.jpg")
    assert not same_image("", "001.A/b.jpg")


@pytest.mark.real
def test_cub(data_root, tmp_path):
    from zslpipe.data.load import load_benchmark

    file = data_root / "xlsa17" / "data" / "CUB" / "resnet1000.mat"
    store = import_features([file], load_benchmark("cub", data_root), tmp_path)
    assert np.array_equal(store.rows("global")[:], scipy.io.loadmat(file)["features"].T)
    with pytest.raises(InputError, match="has 8189 images"):
        import_features([file], load_benchmark("flo", data_root), tmp_path)
