"""The page shows its contents and loads nothing from elsewhere."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

from zslpipe.evaluation.results_table import Row
from zslpipe.report.content import Count, RunContent
from zslpipe.report.headline import headline
from zslpipe.report.markup import Markup
from zslpipe.report.page import page, write_page
from zslpipe.report.tables import HINTS, kind_of, scroll_box
from zslpipe.report.terms import TERMS
from zslpipe.report.trials import trials_chart, trials_list, varied_settings
from zslpipe.selection import SelectionResult, Trial

Make = Callable[..., RunContent]
EVIL = '<script>alert("&")</script>'
SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text.removeprefix("<!doctype html>\n"))


def words(node: ET.Element) -> str:
    return " ".join(" ".join(node.itertext()).split())


def test_names_are_escaped(make_run: Make) -> None:
    text = page([make_run(name=EVIL, evil=True)])
    tree = parsed(text)  # well-formed as XML
    assert "<script" not in text
    assert EVIL in words(tree)


def test_classes_that_no_image_tests_are_not_listed(make_run: Make) -> None:
    run = make_run()
    classes = [c if c.seen else c._replace(accuracy=None, uncalibrated=None) for c in run.classes]
    assert "unseen classes" in words(parsed(page([run])))
    assert "0 unseen classes" not in words(parsed(page([dataclasses.replace(run, classes=tuple(classes))])))


def test_nothing_is_loaded_from_elsewhere(make_run: Make) -> None:
    text = page([make_run()])
    tree = parsed(text)
    for node in tree.iter():
        for key in ("href", "src"):
            assert node.get(key, "data:").startswith("data:")
    style = next(n.text or "" for n in tree.iter("style"))
    assert not re.search(r"url\(|@import|@font-face", style)
    policy = next(n.get("content", "") for n in tree.iter("meta") if n.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_numbers_have_rule_seeds_and_interval_and_the_oracle_is_never_alone(make_run: Make) -> None:
    runs = [make_run(), make_run(name="other", skill=2.0)]
    tree = parsed(page(runs))
    table = next(t for t in tree.iter("table") if t.get("class") == "numbers")
    bodies = table.findall("tbody")
    assert len(bodies) == 2
    for run, body in zip(runs, bodies):
        kinds = [row.get("class") for row in body]
        assert kinds == ["validated", "oracle"]
        honest = words(body[0])
        assert run.name in honest
        assert "unseen-class" in honest
        assert words(next(c for c in body[0] if c.get("data-label") == "seeds")) == "2"  # how many, not their ids
        h = run.rows[0].numbers["H"]
        assert f"{100 * h.mean:.1f}" in honest
        assert f"{100 * h.low:.1f} to {100 * h.high:.1f}" in honest
        assert " to " not in words(body[1])  # oracle values have no interval
    assert "95 % interval" in words(tree)


def test_kinds_of_rows() -> None:
    assert kind_of(Row("a", "oracle, not calibrated", {}, 0.0, 1)) == "oracle"  # settings chosen on the test images
    assert kind_of(Row("", "oracle (chosen on the test images)", {}, 0.3, 1, oracle=True)) == "oracle"
    assert kind_of(Row("", "published", {"H": 0.5})) == "published"
    assert kind_of(Row("a", "seen, not calibrated", {}, 0.0, 1)) == "not calibrated"
    assert kind_of(Row("a", "unseen-class, 3 folds", {}, -0.1, 1)) == "validated"


def test_curves_have_one_line_per_seed_and_points_on_it(make_run: Make) -> None:
    run = make_run(seeds=2)
    chart = next(s for s in parsed(page([run])).iter(f"{SVG}svg") if "Seen accuracy" in s.get("aria-label", ""))
    lines = [p for p in chart.iter(f"{SVG}path") if p.get("class", "").startswith("curve")]
    assert len(lines) == 2
    ends = [tuple(map(float, pair.split())) for pair in re.split("[ML]", lines[0].get("d", ""))[1:]]
    box = [float(v) for v in chart.get("viewBox", "").split()]
    assert all(0 <= x <= box[2] and 0 <= y <= box[3] for x, y in ends)
    assert [x for x, _ in ends] == sorted(x for x, _ in ends)  # U increases with δ
    discs = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in chart.iter(f"{SVG}circle")]
    assert len(discs) == 2
    nearest = min(np.hypot(x - discs[0][0], y - discs[0][1]) for x, y in ends)
    assert nearest < 8
    classes = [p.get("class") for p in chart.iter(f"{SVG}path")]
    assert classes.count("mark oracle") == 2
    assert classes.count("mark uncalibrated") == 2


def test_bars_are_sorted_with_seen_and_unseen_apart(make_run: Make) -> None:
    run = make_run()
    tables = [t for t in parsed(page([run])).iter("table") if (t.get("class") or "").startswith("bars")]
    assert [t.get("class") for t in tables] == ["bars unseen", "bars seen"]
    for table, seen in zip(tables, (False, True)):
        rows = table.findall("tbody/tr")
        names = {words(row.find("th")).replace(" ", "") for row in rows}  # type: ignore[arg-type]
        assert names == {c.name.replace(" ", "") for c in run.classes if c.seen == seen and c.images}
        values = [float(words(row[-1])) for row in rows]
        assert values == sorted(values, reverse=True)


def test_omissions_are_reported(make_run: Make) -> None:
    run = make_run()
    notes = words(next(n for n in parsed(page([run])).iter("ul") if n.get("class") == "notes"))
    assert run.without_images == (run.classes[-1].name,)
    assert run.classes[-1].name in notes
    assert "2 rows failed" in notes


def test_a_run_without_curve_errors_or_confusions_has_a_page(make_run: Make) -> None:
    bare = dataclasses.replace(make_run(), curves=(), errors=None, confusion=None, store=None, notes=())
    text = words(parsed(page([bare])))
    assert "Seen-unseen curve" not in text
    assert "Semantic errors" not in text
    assert "0123456789abcdef" in text  # hashes are still shown


def test_each_loss_term_has_a_chart_with_one_line_per_seed(make_run: Make) -> None:
    found = parsed(page([make_run(seeds=2)]))
    charts = [svg for svg in found.iter("{http://www.w3.org/2000/svg}svg") if "loss term" in svg.get("aria-label", "")]
    assert [svg.get("aria-label") for svg in charts] == ["The loss term sce by epoch", "The loss term remse by epoch"]
    assert [len([p for p in svg.iter() if p.get("class") == "curve mine"]) for svg in charts] == [2, 2]
    assert "Training" not in [words(h) for h in parsed(page([make_run(epochs=False)])).iter("h3")]


def test_a_large_matrix_is_one_image(make_run: Make) -> None:
    run = make_run(classes=200, unseen=50, attributes=312, seeds=1)
    text = page([run])
    parsed(text)
    assert len(text) < 600_000
    assert text.count("data:image/png") == 2  # the matrix and its legend


def test_the_page_is_written_atomically(make_run: Make, tmp_path: Path) -> None:
    write_page(tmp_path / "deep" / "page.html", [make_run()])
    assert (tmp_path / "deep" / "page.html").read_text().endswith("</html>")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["page.html"]


def choice_of(settings: list[dict[str, object]], values: list[float | None]) -> SelectionResult:
    trials = [Trial(dict(s), v, [] if v is None else [{"H": v}]) for s, v in zip(settings, values)]
    best = max(trials, key=lambda t: t.value or 0.0)
    return SelectionResult("unseen-class", "H", best.setting, None, None, {}, trials, 0, 1)


def test_charts_of_trials_suit_the_varied_settings(make_run: Make) -> None:
    epoch_chart = trials_chart(make_run(epochs=True).choices[0])
    assert epoch_chart is not None
    assert epoch_chart.count('class="curve fold"') == 3
    assert epoch_chart.count('class="curve other"') == 1
    grid_chart = trials_chart(make_run(epochs=False).choices[0])
    assert grid_chart is not None
    assert grid_chart.count("<rect") == 6 * 7
    assert grid_chart.count("cell right chosen") == 1
    assert "not finite" in grid_chart
    assert trials_chart(choice_of([{"a": 1}], [0.5])) is None
    assert trials_chart(choice_of([{"a": "x"}, {"a": "y"}], [0.5, 0.6])) is None


def test_lists_of_trials_count_what_they_omit() -> None:
    choice = choice_of([{"a": n, "b": True} for n in range(20)], [None, *(n / 20 for n in range(19))])
    assert varied_settings(choice.trials) == ["a"]
    text = trials_list(choice, count=5)
    assert text.index("90.0") < text.index("85.0")
    assert "14 more settings" in text
    assert "1 diverged" in text


def test_the_page_starts_with_the_result_in_photos(make_run: Make) -> None:
    run = dataclasses.replace(make_run(seeds=1), counts={"unseen": Count(80, 40.0), "seen": Count(300, 250.0)})
    text = headline(run)
    assert text == ("Of 80 photos of classes it had never seen, 40 were named correctly; of 300 of known classes, 250.")
    header = next(parsed(page([run])).iter("header"))
    assert text in words(header)
    several = headline(make_run(seeds=2))
    assert several.startswith("On average over 2 trainings, of 80 photos of classes it had never seen, 40.5 were named")
    both = words(next(parsed(page([run, make_run(name="other")])).iter("header")))
    assert run.name in both
    assert "other" in both


def test_a_headline_says_what_it_is_not(make_run: Make) -> None:
    run = make_run(seeds=1)
    oracle = dataclasses.replace(run, rows=(Row("", "oracle, not calibrated", {}, 0.0, 1),))
    assert headline(oracle).endswith("so this is an upper bound, not a result.")
    loose = dataclasses.replace(run, rows=(Row("", "seen, not calibrated", {}, 0.0, 1),))
    assert headline(loose).endswith("No validation chose a calibration.")
    known = dataclasses.replace(run, counts={"seen": Count(1, 1.0)})
    assert headline(known) == (
        "Of 1 photo of known classes, 1 was named correctly. There were no test photos of classes it had never seen."
    )
    assert headline(dataclasses.replace(run, counts={})) == ""


def test_photos_are_shown_with_the_predicted_and_the_true_class(make_run: Make) -> None:
    run = make_run()
    figures = list(parsed(page([run])).iter("figure"))
    assert run.photos is not None
    assert [f.get("class") for f in figures] == ["right"] * 4 + ["wrong"] * 8
    for figure, photo in zip(figures, (*run.photos.right, *run.photos.wrong)):
        said = words(figure)
        assert photo.predicted.replace(" ", "") in said.replace(" ", "")
        assert (f"is {photo.truth}".replace(" ", "") in said.replace(" ", "")) == (photo.truth != photo.predicted)
        assert said.endswith("unseen" if not photo.seen else "seen")


def test_terms_are_explained_where_they_stand_and_in_a_list(make_run: Make) -> None:
    found = parsed(page([make_run()]))
    table = next(t for t in found.iter("table") if t.get("class") == "numbers")
    heads = [words(th) for th in table.findall("thead/tr/th")]
    explained = {words(a): a.get("title") for a in table.iter("abbr")}
    assert set(heads) - {"run"} <= explained.keys()
    assert {"validated", "oracle"} <= explained.keys()
    (listed,) = [d for d in found.iter("details") if d.get("class") == "terms"]
    assert [words(dt) for dt in listed.iter("dt")] == list(TERMS)
    assert [words(dd) for dd in listed.iter("dd")] == list(TERMS.values())
    assert all(explained[name] == TERMS[name] for name in explained)


def test_hints_have_a_rule_in_the_style_sheet() -> None:
    style = files("zslpipe.report").joinpath("style.css").read_text(encoding="utf-8")
    for width in (*HINTS, 655, 5000):
        step = re.search(r"below-(\d+)", scroll_box(Markup(""), width))
        assert step is not None
        assert f"(max-width: {int(step[1]) - 1}px) {{ .below-{step[1]} {{" in style
    for width in (None, 100):
        assert "hint" not in scroll_box(Markup(""), width)
