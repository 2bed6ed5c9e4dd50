"""The order of writing, on which crash safety rests. (tests/faults kills the writer at every step.)"""

from zslpipe.store import sealed, writing


def test_a_record_is_written_after_what_it_describes_and_removed_before(tmp_path, make, fill, monkeypatch):
    store = fill(make(tmp_path / "s", 60))
    steps = []

    def logged(function, what):
        def call(target, *rest):
            names = [target] if what == "write" else target
            steps.append((what, sorted(p.relative_to(store.path).as_posix() for p in names)))
            return function(target, *rest)

        return call

    monkeypatch.setattr(writing, "write_durable", logged(sealed.write_durable, "write"))
    monkeypatch.setattr(writing, "sync_folders", logged(sealed.sync_folders, "sync"))
    monkeypatch.setattr(writing, "_remove", logged(writing._remove, "remove"))
    fill(store, [1])
    assert [step for step in steps if step != ("sync", [])] == [
        ("remove", ["complete.json"]),
        ("sync", ["."]),
        ("remove", ["pieces/000001.json"]),
        ("sync", ["pieces"]),
        ("write", ["features.zarr/global/c.1.0"]),
        ("write", ["features.zarr/region/c.1.0.0"]),
        ("sync", ["features.zarr/global", "features.zarr/region"]),
        ("write", ["pieces/000001.json"]),
        ("sync", ["pieces"]),
        ("write", ["complete.json"]),
        ("sync", ["."]),
    ]


def test_writing_a_piece_needs_no_copy_of_it(tmp_path, benchmark_):
    """Memory does not grow with what is stored: values are written from where they are."""
    import tracemalloc

    import numpy as np

    from zslpipe.store.feature_store import FeatureStore
    from zslpipe.store.layout import TapSpec

    taps = {"region": TapSpec((64, 1024), "float16")}
    store = FeatureStore.create(tmp_path / "s", benchmark_, taps, {"fingerprinted": {}, "recorded": {}}, 12)
    piece = np.ones((12, 64, 1024), np.float16)
    store.write_piece(0, {"region": piece})
    tracemalloc.start()
    for number in range(1, 10):
        store.write_piece(number, {"region": piece})
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * piece.nbytes, (most, piece.nbytes)
