"""From a folder to a table of results where some classes have no images, and where some numbers cannot be measured."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from zslpipe.cli import main
from zslpipe.data.load import load_benchmark

Commands = Callable[..., Result]
ATTRIBUTES = 6


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Commands]:
    """Makes a folder with a class per letter (upper case: unseen, before `*`: without images) and its store."""
    monkeypatch.setenv("ZSLPIPE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)

    def make(classes: str, each: int) -> Commands:
        folder = tmp_path / "animals"
        rows = ["class,split," + ",".join(f"a{i}" for i in range(ATTRIBUTES))]
        for name, star in re.findall(r"(\w)(\*?)", classes):
            (folder / name).mkdir(parents=True)
            for i in range(0 if star else each):
                (folder / name / f"{i}.png").write_bytes(b"never decoded")
            values = ",".join(f"{v:.3f}" for v in rng.normal(size=ATTRIBUTES))
            rows.append(f"{name},{'unseen' if name.isupper() else 'seen'},{values}")
        (folder / "classes.csv").write_text("\n".join(rows))
        b = load_benchmark(str(folder))
        mix = rng.normal(size=(ATTRIBUTES, 16))
        features = b.semantics[b.labels] @ mix + 0.3 * rng.normal(size=(len(b.labels), 16))
        np.save(tmp_path / "features.npy", features.astype(np.float32))

        def run(*line: str) -> Result:
            done = CliRunner().invoke(main, line)
            assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
            assert "nan" not in done.output.lower()
            return done

        assert run("import", str(tmp_path / "features.npy"), "--dataset", str(folder)).exit_code == 0
        return run

    return make


@pytest.mark.parametrize(
    ("classes", "each", "measured", "reason"),
    [
        ("abcdefx*y*Z*", 6, {"S"}, "no unseen class has test images: T1, U, H and AUSUC cannot be measured"),
        ("abcdefABCx*", 6, {"T1", "U", "S", "H", "AUSUC"}, "1 of 10 classes have no test images: candidates"),
        ("abcdef", 6, {"S"}, "there is no unseen class: T1, U, H and AUSUC do not exist"),
        ("abx*", 6, {"S"}, "no unseen class has test images"),
        ("abcdefA", 6, {"T1", "U", "S", "H", "AUSUC"}, ""),
    ],
)
@pytest.mark.parametrize("head", [("eszsl",), ("remse", "--set", "epochs=1")])
def test_what_exists_is_measured_and_the_rest_is_a_dash(
    animals: Callable[[str, int], Commands],
    head: tuple[str, ...],
    classes: str,
    each: int,
    measured: set[str],
    reason: str,
) -> None:
    run = animals(classes, each)
    assert run("train-head", *head).exit_code == 0
    table = run("eval", "--gzsl", "--calibrate")
    assert table.exit_code == 0, table.output
    titles, row = (re.split(r"\s{2,}", line) for line in table.stdout.splitlines()[:2])
    assert {title for title, cell in zip(titles, row) if title in measured and cell != "-"} == measured
    assert {title for title, cell in zip(titles, row) if title != "δ" and cell == "-"}.isdisjoint(measured)
    assert (dict(zip(titles, row))["δ"] == "-") == (classes == "abcdef")
    assert reason in table.stdout
    told = json.loads(run("eval", "--gzsl", "--calibrate", "--json").stdout)[0]
    result = told["seeds"]["0"]
    assert {metric for metric in ("T1", "U", "S", "H", "AUSUC") if result[metric] is not None} == measured
    assert reason in told["unmeasured"]
    assert run("eval").exit_code == 0  # T1 only
    assert run("report").exit_code == 0


def test_runs_with_unmeasured_numbers_are_compared_by_the_others(animals: Callable[[str, int], Commands]) -> None:
    run = animals("abcdefx*", 6)
    names = [Path(json.loads(run("train-head", "eszsl", "--json").stdout)["run"]).name for _ in range(2)]
    done = run("compare", *names)
    assert done.exit_code == 0
    assert done.stdout.startswith("S of ")
    assert done.stdout == f"S of {names[0]} and {names[1]} are equal.\n"


@pytest.mark.parametrize(
    ("classes", "each", "line", "sentence"),
    [
        ("ax*", 6, (), "validation on unseen classes needs at least two seen classes, but there is 1: add classes"),
        ("abcdx*", 2, (), "validation holds out training images, but the seen classes have only one each: add images"),
        ("abcdx*", 1, ("--selection", "seen"), "the seen classes have only one each: add images"),
        ("abcdx*", 6, ("--selection", "oracle"), "the oracle needs test images of seen and of unseen classes"),
    ],
)
def test_what_cannot_be_selected_is_refused(
    animals: Callable[[str, int], Commands], classes: str, each: int, line: tuple[str, ...], sentence: str
) -> None:
    done = animals(classes, each)("train-head", "eszsl", *line)
    assert done.exit_code == 2
    assert sentence in done.stderr


def test_classes_without_images_are_candidates(animals: Callable[[str, int], Commands], tmp_path: Path) -> None:
    run = animals("abcdefx*Y*", 6)
    done = json.loads(run("train-head", "eszsl", "--json").stdout)
    run("eval", "--gzsl", "--calibrate")
    header = (Path(done["run"]) / "seed-0" / "scores" / "scores.csv").read_text().splitlines()[0]
    assert header.endswith("score:x,score:Y")
    kinds = (Path(done["run"]) / "seed-0" / "scores" / "classes.csv").read_text()
    assert "x,unseen" in kinds
    assert "Y,unseen" in kinds


def test_a_store_learns_of_a_changed_class_table(animals: Callable[[str, int], Commands], tmp_path: Path) -> None:
    from zslpipe.store.catalog import newest_store
    from zslpipe.store.verify import verify

    animals("abcdef", 6)
    table = tmp_path / "animals" / "classes.csv"
    table.write_text(table.read_text() + f"\nnew,unseen{',1' * ATTRIBUTES}\n")
    store = newest_store(tmp_path / "cache")
    changed = load_benchmark(str(tmp_path / "animals"))
    assert store.redescribe(changed)
    assert not store.redescribe(changed)
    assert newest_store(tmp_path / "cache").benchmark.class_names[-1] == "new"
    assert verify(store.path) == []


def test_without_attributes_train_head_says_what_data_check_says(
    animals: Callable[[str, int], Commands], tmp_path: Path
) -> None:
    run = animals("abc", 4)
    table = tmp_path / "animals" / "classes.csv"
    table.write_text("class\na\nb\nc\n")
    checked = json.loads(run("data", "check", str(table.parent), "--json").stdout)["information"]
    assert run("import", str(tmp_path / "features.npy"), "--dataset", str(table.parent)).exit_code == 0
    done = run("train-head", "eszsl")
    assert done.exit_code == 2
    assert any(sentence in done.stderr for sentence in checked if "attributes" in sentence)
