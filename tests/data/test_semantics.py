from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.semantics import SEMANTICS, load_semantics
from zslpipe.data.xlsa17 import read_xlsa17
from zslpipe.errors import InputError

Make = Callable[..., Path]


def boxed(names: tuple[str, ...]) -> np.ndarray:
    return np.array([*names, None], object)[:-1, None]


def test_named_ones(xlsa: Make) -> None:
    root = xlsa()
    (root / "attributes").mkdir()
    (root / "attributes" / "CUB_names.txt").write_text("red\nlong\nround\nshy\n")
    b = read_xlsa17("cub", root)
    assert load_semantics(b, "att", root) is b
    raw = load_semantics(b, "original_att", root)
    assert raw.semantics[1].tolist() == [1, 7, 13, 19]
    assert raw.attribute_names == b.attribute_names
    assert "original_att" in raw.sources["semantics"]
    back = load_semantics(raw, "att", root)
    assert np.array_equal(back.semantics, b.semantics)
    assert "semantics" not in back.sources


def test_sentences_are_matched_by_name_and_must_be_of_the_same_split(xlsa: Make) -> None:
    root = xlsa()
    b = read_xlsa17("cub", root)
    folder = root / "xlsa17" / "data" / "CUB"
    with pytest.raises(InputError, match=r"put sent_splits\.mat into .*CUB"):
        load_semantics(b, "sentences", root)
    order = [3, 1, 0, 5, 4, 2]
    vectors = np.arange(12.0).reshape(2, 6)
    names = boxed(tuple(b.class_names[c] for c in order))
    locs = {p: scipy.io.loadmat(folder / "att_splits.mat")[p] for p in ("trainval_loc", "test_seen_loc")}
    rows = np.arange(21, 31)[::-1]
    held = {"att": vectors[:, order], "allclasses_names": names, **locs, "test_unseen_loc": rows}
    scipy.io.savemat(folder / "sent_splits.mat", held)
    s = load_semantics(b, "sentences", root)
    assert np.array_equal(s.semantics, vectors.T)
    assert s.attribute_names == ("dimension 1", "dimension 2")
    scipy.io.savemat(folder / "sent_splits.mat", {**held, "test_unseen_loc": rows[1:]})
    with pytest.raises(InputError, match=r"sent_splits\.mat: its test_unseen_loc is not that of cub"):
        load_semantics(b, "sentences", root)


def test_files(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    b = tiny[0]
    wanted = np.arange(24, dtype=np.float32).reshape(12, 2)
    np.save(tmp_path / "s.npy", wanted)
    scipy.io.savemat(tmp_path / "s.mat", {"att": wanted.T})
    backwards = range(11, -1, -1)
    lines = [f"{b.class_names[c]},{wanted[c, 0]},{wanted[c, 1]}" for c in backwards]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    (tmp_path / "headed.csv").write_text("\n".join(["class,red,long", *lines]))
    for file in ("s.npy", "s.mat", "s.csv", "headed.csv"):
        s = load_semantics(b, str(tmp_path / file))
        assert np.array_equal(s.semantics, wanted), file
        assert s.sources["semantics"].startswith(f"{file} ")
        assert s.attribute_vectors is None
        assert s.attribute_names == (("red", "long") if file == "headed.csv" else ("dimension 1", "dimension 2"))


def test_a_mat_of_more_classes_serves_some_of_them(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    b = tiny[0]
    names = ("another", *b.class_names)
    scipy.io.savemat(tmp_path / "s.mat", {"att": np.arange(13.0)[None], "allclasses_names": boxed(names)})
    assert load_semantics(b, str(tmp_path / "s.mat")).semantics.ravel().tolist() == list(range(1, 13))


def test_bad_ones_name_file_and_row(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path) -> None:
    b = tiny[0]
    good = [f"{n},1,2" for n in b.class_names]
    nan = np.ones((12, 3))
    nan[4, 1] = np.nan
    np.save(tmp_path / "nan.npy", nan)
    np.save(tmp_path / "short.npy", nan[:5])
    np.save(tmp_path / "flat.npy", nan[0])
    scipy.io.savemat(tmp_path / "nan.mat", {"att": nan.T})
    scipy.io.savemat(tmp_path / "named.mat", {"att": nan.T, "allclasses_names": boxed(b.class_names)})
    scipy.io.savemat(tmp_path / "other.mat", {"att": nan.T, "allclasses_names": boxed(tuple("abcdefghijkl"))})
    for name, lines in {
        "nan.csv": [*good[:3], "class 3,nan,2", *good[4:]],
        "word.csv": [*good[:3], "class 3,much,2", *good[4:]],
        "ragged.csv": [*good[:3], "class 3,1", *good[4:]],
        "twice.csv": [*good, good[0]],
        "stranger.csv": [*good, "class 33,1,2"],
        "lacking.csv": good[1:],
        "empty.csv": [],
    }.items():
        (tmp_path / name).write_text("\n".join(lines))
    for name, sentence in {
        "nan.npy": "row 5 holds NaN",
        "short.npy": "describes 5 classes, but tiny has 12",
        "flat.npy": "must have two dimensions",
        "nan.mat": "column 5 holds NaN",
        "named.mat": "class 'class 4' holds NaN",
        "other.mat": "does not describe class 'class 0'",
        "nan.csv": "line 4: 'nan' is not a finite number",
        "word.csv": "line 4: 'much' is not a finite number",
        "ragged.csv": "line 4: 2 fields, expected 3",
        "twice.csv": "line 13: class 'class 0' is described twice",
        "stranger.csv": "line 13: unknown class 'class 33': did you mean class 3",
        "lacking.csv": "does not describe class 'class 0'",
        "empty.csv": "is empty",
        "gone.csv": "there is no file",
        "what.txt": "read from a .mat, .npy, .csv, .tsv, .xlsx file",
    }.items():
        with pytest.raises(InputError) as error:
            load_semantics(b, str(tmp_path / name))
        assert sentence in str(error.value), name
        assert str(tmp_path / name) in str(error.value)
    with pytest.raises(InputError, match="unknown semantics 'sentence': did you mean sentences"):
        load_semantics(b, "sentence")
    with pytest.raises(InputError, match="tiny has no semantics named 'sentences'"):
        load_semantics(b, "sentences")


def test_registered_ones(tiny: tuple[Benchmark, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SEMANTICS, "_things", dict(SEMANTICS._things))
    roots = []

    @SEMANTICS.register("halves")
    def halves(benchmark: Benchmark, data_root: Path) -> Benchmark:
        roots.append(data_root)
        return benchmark.with_semantics(benchmark.semantics / 2, benchmark.attribute_names, "halves")

    @SEMANTICS.register("wrong")
    def wrong(benchmark: Benchmark, data_root: Path) -> np.ndarray:
        return benchmark.semantics

    b = tiny[0]
    described = load_semantics(b, "halves", tmp_path)
    assert np.array_equal(described.semantics, b.semantics / 2)
    assert described.sources["semantics"] == "halves"
    assert roots == [tmp_path]
    with pytest.raises(InputError, match=r"the semantics 'wrong' gave a ndarray: return benchmark\.with_semantics"):
        load_semantics(b, "wrong", tmp_path)
    with pytest.raises(InputError, match="unknown semantics 'halvs': did you mean halves"):
        load_semantics(b, "halvs", tmp_path)
