import csv
from pathlib import Path

import numpy as np
import pytest

from zslpipe.data.benchmark import Benchmark
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import Result, TestScores, evaluate_scores
from zslpipe.evaluation.scores import read_scores, write_scores


def kept(folder: Path, delta: float | None = 0.37, dtype: type = np.float32) -> tuple[TestScores, Benchmark, Result]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 8)
    order = np.arange(48).reshape(6, 8)
    benchmark = Benchmark(
        name="awkward",
        class_names=("a, with comma", 'a "quote"', "image", "Zürich", "e", "f"),
        semantics=np.eye(6, dtype=np.float32),
        attribute_names=tuple("abcdef"),
        image_ids=tuple(f"{i}, a.jpg" for i in range(48)),
        labels=labels,
        trainval=order[:4, :4].ravel(),
        test_seen=order[:4, 4:].ravel(),
        test_unseen=order[4:].ravel(),
    )
    index = np.concatenate([benchmark.test_seen, benchmark.test_unseen])
    scores = (rng.normal(size=(len(index), 6)) + np.eye(6)[labels[index]]).astype(dtype)
    tests = TestScores(index, labels[index], np.arange(6) < 4, scores)
    write_scores(folder, tests, benchmark, delta)
    return tests, benchmark, evaluate_scores(tests, benchmark.class_names, delta)


def recomputed(folder: Path) -> dict[str, float]:
    """T1, U, S and H from the two CSV files with csv and numpy, as a reader without this package would."""
    with (folder / "classes.csv").open(newline="", encoding="utf-8") as stream:
        classes = list(csv.DictReader(stream))
    with (folder / "scores.csv").open(newline="", encoding="utf-8") as stream:
        images = list(csv.DictReader(stream))
    names = [c["class"] for c in classes]
    scores = np.array([[float(image[f"score:{n}"]) for n in names] for image in images])
    scores -= np.array([float(c["subtract"]) for c in classes])
    unseen = [c["kind"] == "unseen" for c in classes]
    joint = [names[i] for i in scores.argmax(1)]
    among_unseen = [names[i] for i in np.where(unseen, scores, -np.inf).argmax(1)]
    assert joint == [image["predicted"] for image in images]
    assert among_unseen == [image["predicted_zsl"] for image in images]

    def mean(predicted: list[str], kind: str) -> float:
        each = []
        for c in classes:
            right = [p == c["class"] for p, image in zip(predicted, images) if image["class"] == c["class"]]
            if c["kind"] == kind:
                each.append(np.mean(right))
        return float(np.mean(each))

    u, s = mean(joint, "unseen"), mean(joint, "seen")
    return {"T1": mean(among_unseen, "unseen"), "U": u, "S": s, "H": 2 * u * s / (u + s)}


@pytest.mark.parametrize("delta", [0.37, None])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_table_can_be_recomputed_without_us(tmp_path: Path, delta: float | None, dtype: type) -> None:
    _, _, result = kept(tmp_path, delta, dtype)
    assert recomputed(tmp_path) == pytest.approx({k: getattr(result, k) for k in ("T1", "U", "S", "H")}, abs=1e-12)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    tests, benchmark, result = kept(tmp_path)
    back = read_scores(tmp_path)
    assert (back.scores == tests.scores).all()
    assert back.scores.dtype == tests.scores.dtype
    assert back.class_names == benchmark.class_names
    assert back.image_ids == tuple(benchmark.image_ids[i] for i in tests.index)
    assert back.delta == 0.37
    again = evaluate_scores(TestScores(tests.index, back.labels, back.seen, back.scores), back.class_names, back.delta)
    assert again.to_json() == result.to_json()
    kept(tmp_path / "none", None)
    assert read_scores(tmp_path / "none").delta is None


def test_csv_holds_every_digit(tmp_path: Path) -> None:
    tests, _, _ = kept(tmp_path)
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    assert (np.array([row[4:] for row in rows]).astype(np.float64).astype(np.float32) == tests.scores).all()


def test_a_folder_without_scores_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not contain complete scores"):
        read_scores(tmp_path)
    kept(tmp_path)
    whole = (tmp_path / "scores.npz").read_bytes()
    (tmp_path / "scores.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="does not contain complete scores"):
        read_scores(tmp_path)
