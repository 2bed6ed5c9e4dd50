"""The claims of the README's "Results in words" are recomputed from the result files."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")
WORDS = " ".join(README.split("\n## Results in words\n")[1].split("\n## ")[0].split())

Row = dict[str, str]


def rows(name: str) -> list[Row]:
    (file,) = RESULTS.glob(f"{name}-*torch*.csv")
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


SPINE = rows("real-spine")
REAL = [row for suite in ("spine", "remse") for row in rows(f"real-{suite}")]


def mean(row: Row, column: str) -> float:
    return float(row[column].split(" ± ")[0])


def spread(row: Row, column: str) -> float:
    return float(row[column].split(" ± ")[1])


def find(store: str, semantics: str, head: str) -> Row:
    return next(r for r in REAL if (r["store"], r["semantics"], r["head"]) == (store, semantics, head))


def numbers() -> Iterator[float]:
    for file in RESULTS.glob("*.csv"):
        with file.open(newline="", encoding="utf-8") as stream:
            for row in csv.reader(stream):
                for cell in row:
                    for text in re.findall(r"\d+\.?\d*", cell):
                        yield round(float(text), 1)


def test_every_number_with_a_decimal_is_in_the_result_files() -> None:
    known = set(numbers())
    stated = [float(text) for text in re.findall(r"\d+\.\d", WORDS)]
    assert len(stated) > 20
    differences = {0.5, 0.3, 0.6, 2.7, 0.2}  # checked below
    assert [n for n in stated if n not in known | differences] == []


def pairs(added: str, base: str = "SCE") -> list[tuple[Row, Row]]:
    """Rows with an added loss and the same rows without it."""
    found = [r for r in rows("real-remse") if r["head"].endswith(f"{base} + {added}")]
    return [(r, find(r["store"], r["semantics"], r["head"].removesuffix(f" + {added}"))) for r in found]


def test_remse_makes_errors_smaller_and_more_even_but_recognition_hardly_better() -> None:
    for with_, without in pairs("ReMSE"):
        for column in (f"error {what}, {side}" for what in ("mean", "std") for side in ("seen", "unseen")):
            assert mean(with_, column) < mean(without, column)
    found = {(r["store"], r["semantics"], r["head"]): r for r in rows("real-regression")}
    problems = {key[:2] for key in found}
    assert len(problems) == 4
    gained: dict[str, list[float]] = {"T1": [], "H": []}
    centring, centred = [], []
    for problem in problems:
        chosen = "0.003" if problem[0] == "CUB50" else "0.03"  # by validation, see below
        names = ("SCE, not centred", f"SCE + ReMSE, λ = {chosen}, not centred", "SCE, centred")
        without, with_, plain = (found[*problem, name] for name in names)
        for metric, values in gained.items():
            values.append(round(mean(with_, metric) - mean(without, metric), 1))
        centring.append(round(mean(plain, "H") - mean(without, "H"), 1))
        both = found[*problem, "SCE + ReMSE, λ = 0.01, centred"]
        centred.append(round(mean(both, "H") - mean(plain, "H"), 1))
    t1, h = gained["T1"], gained["H"]
    assert f"T1 by {min(t1)} to {max(t1)} and H by {min(h)} to {max(h)} points, never more than noise" in WORDS
    assert f"give plain SCE {min(centring)} to {max(centring)} of H" in WORDS
    assert f"ReMSE changes H by {min(centred)} to +{max(centred)}" in WORDS
    differences = [r for r in rows("differences-regression") if "ReMSE" in r["head"]]
    assert not [r for r in differences for column in ("T1", "H") if interval(r[column])[1] > 0]


def test_what_regression_terms_do_on_validation_classes() -> None:
    grid: dict[tuple[str, str, str], dict[float, float]] = {}
    for r in rows("regression_grid"):
        if r["semantics"] == "att":
            grid.setdefault((r["store"], r["origin"], r["loss"]), {})[float(r["λ"])] = float(r["H"])
    for origin in ("as given", "centred"):
        of = {loss: values for (store, o, loss), values in grid.items() if (store, o) == ("CUB50", origin)}
        assert len(of["sce+balanced-mse"]) == 4
        assert max(of["sce+balanced-mse"].values()) <= of["sce"][0.0]
    apart = [
        abs(values[weight] - grid[store, origin, "sce+nmse"][larger])
        for (store, origin, loss), values in grid.items()
        if loss == "sce+remse" and store in ("CUB50", "CUB")
        for weight, larger in ((0.003, 0.015), (0.01, 0.05), (0.03, 0.15), (0.1, 0.5))
        if weight in values and larger in grid[store, origin, "sce+nmse"]
    ]
    assert len(apart) == 12
    assert f"the H of ReMSE within {max(apart):.1f} points" in WORDS
    best: dict[tuple[str, str], tuple[float, float]] = {}
    for r in rows("regression_grid"):
        if (r["origin"], r["loss"]) == ("as given", "sce+remse"):
            problem = r["store"], r["semantics"]
            best[problem] = max(best.get(problem, (0.0, 0.0)), (float(r["H"]), float(r["λ"])))
    assert [chosen for _, chosen in best.values()] == [0.003, 0.03, 0.03, 0.03]


def test_the_default_of_remse_is_the_best_compromise_on_validation_classes() -> None:
    """Of the pairs of centring and λ that were tried on all four problems; 0.01, centred, or SCE alone."""
    h: dict[tuple[str, float], dict[tuple[str, str], float]] = {}
    for r in rows("regression_grid"):
        if r["loss"] in ("sce", "sce+remse"):
            h.setdefault((r["origin"], float(r["λ"])), {})[r["store"], r["semantics"]] = float(r["H"])
    everywhere = {pair: values for pair, values in h.items() if len(values) == 4}
    default = everywhere["centred", 0.01]
    assert len(everywhere) > 4
    for values in everywhere.values():
        assert any(values[problem] <= default[problem] for problem in default)
    given = [sum(values.values()) for (origin, _), values in everywhere.items() if origin == "as given"]
    assert sum(default.values()) > max(given)


def test_the_parts_of_the_autoencoder_work_but_do_not_help_on_validation_classes() -> None:
    found = {(r["variant"], r["epochs"]): r for r in rows("dense_attention_grid")}
    at = {variant: r for (variant, epochs), r in found.items() if epochs == "8"}
    full = at["gain 0.3"]
    assert float(full["reconstruction"]) < 0.1 < 1 < float(at["without SR"]["reconstruction"])
    assert float(full["matching"]) < float(at["without matching"]["matching"]) / 10
    h = {name: float(r["H"]) for name, r in at.items()}
    assert max(abs(h[name] - h["gain 0.3"]) for name in ("without SR", "without matching")) <= 0.3 + 1e-9
    assert h["decoupled"] > h["gain 0.3"]
    assert h["uniform attention"] >= h["gain 0.3"] > h["gain 1"] > h["gain 2"]
    assert float(full["maps"]) < 0.05


def test_the_parts_of_the_autoencoder_on_test_images() -> None:
    h = {(r["store"], r["head"]): mean(r, "H") for r in rows("real-dense-attention")}
    without = [value for (store, head), value in h.items() if store == "CUB50" and head != "full"]
    assert f"an H of {h['CUB50', 'full']} on CUB50" in WORDS
    assert f"({min(without)} to {max(without)} without one)" in WORDS
    of_flowers = (h["FLO", head] for head in ("full", "without SR", "decoupled"))
    assert "{} on FLO: {} without SR, {} decoupled, within noise".format(*of_flowers) in WORDS


def test_flat_maps_are_better_on_validation_classes_but_no_better_than_none() -> None:
    best: dict[str, float] = {}
    for r in rows("attention_grid"):
        best[r["variant"]] = max(best.get(r["variant"], 0.0), float(r["H"]))
    peaked, flat, none = best["fused, as in the paper"], best["fused, both"], best["global"]
    assert f"on validation classes (one seed, two folds) {none} and {peaked}, or {flat} if its maps are flat" in WORDS
    assert peaked < flat < none
    assert best["attention, as in the paper"] < best["attention, both"] < none


def test_the_validated_calibration_is_close_to_the_best() -> None:
    gaps = {store: [mean(r, "oracle H") - mean(r, "H") for r in SPINE if r["store"] == store] for store in stores()}
    assert f"at most {max(gaps['CUB resnet1000']):.1f} points below the best on CUB" in WORDS
    assert f"at most {max(*gaps['CUB50'], *gaps['FLO']):.1f} on CUB50 and FLO" in WORDS


def stores() -> set[str]:
    return {r["store"] for r in REAL}


def test_how_calibration_is_carried_over() -> None:
    found = {(r["problems"], r["rule"]): r for r in rows("delta_rules")}
    text = " ".join(README.split())

    def lost(problems: str, rule: str = "scaled value, matched") -> tuple[str, str]:
        row = found[problems, rule]
        return row["mean loss"], f"{float(row['worst loss']):.1f}"

    assert f"On {found['all', 'value']['number']} problems with 4 to 50 unseen classes" in text
    assert "loses {} points of H on average and {} at worst".format(*lost("all")) in text
    assert "did not choose the rule, {} and {})".format(*lost("FLO, att")) in text
    assert "the plain value loses {} and {}".format(*lost("all", "value")) in text
    assert "flips {} and {}".format(*lost("all", "flipped share")) in text


def test_the_closed_form_is_level_on_the_small_datasets() -> None:
    for store in ("CUB50", "FLO"):
        closed, branch = find(store, "att", "eszsl"), find(store, "att", "remse, global")
        assert abs(mean(closed, "H") - mean(branch, "H")) <= max(spread(closed, "H"), spread(branch, "H"))
    ahead = {(r["store"], r["semantics"]): interval(r["H"]) for r in rows("differences-spine")}
    assert [problem for problem, (_, low, _) in ahead.items() if low > 0] == [("CUB resnet1000", "sentences")]
    assert f"on CUB with attributes (+{ahead['CUB resnet1000', 'att'][0]})" in WORDS


def test_what_few_unseen_classes_tell() -> None:
    att, sentences, birds, flowers = (float(r["H visible"]) for r in rows("differences-spine"))
    assert (
        f"{sentences} to {att} points on CUB (50 unseen classes), {flowers} on FLO (20) and {birds} on CUB50" in WORDS
    )
    error = find("CUB50", "att", "eszsl")["H, ± folds"]
    docs = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").split())
    assert f"is {error} points of H for `eszsl` on CUB50" in docs


def interval(cell: str) -> tuple[float, float, float]:
    mean_, low, high = (float(text) for text in re.findall(r"[+-][\d.]+", cell))
    return mean_, low, high


def test_gaussians_are_ahead_and_hardly_need_calibration() -> None:
    gaussians = rows("real-gaussians")
    h = [mean(r, "H") for r in gaussians]
    assert "H is {} and {} on CUB, {} on CUB50 and {} on FLO".format(*h) in WORDS
    for r in gaussians:
        assert r["seeds"] == "5"
        for head in ("eszsl", "remse, global"):
            other = find(r["store"], r["semantics"], head)
            assert mean(r, "H") - mean(other, "H") > max(spread(r, "H"), spread(other, "H"))
    against = [r for r in rows("differences-gaussians") if r["against"] == "remse, global"]
    sure = [(r["store"], r["semantics"]) for r in against if interval(r["H"])[1] > 0]
    assert sure == [("CUB resnet1000", "att"), ("FLO", "att")]
    lost = max(mean(r, "H") - mean(r, "H at δ=0") for r in gaussians)
    assert f"at most {lost:.1f} less without any δ" in WORDS


def test_generators_do_not_reach_the_gaussians() -> None:
    h = {
        head: [mean(r, "H") for r in rows("real-generative") if r["head"] == head]
        for head in ("gfzsl", "gfzsl-softmax", "tf-vaegan")
    }
    assert "an H of {} and {} on CUB, {} on FLO and {} on CUB50".format(*h["tf-vaegan"]) in WORDS
    below = [gaussian - gan for gaussian, gan in zip(h["gfzsl"], h["tf-vaegan"], strict=True)]
    assert f"{min(below):.1f} to {max(below):.1f} below `gfzsl`" in WORDS
    lost = [likelihood - softmax for likelihood, softmax in zip(h["gfzsl"], h["gfzsl-softmax"], strict=True)]
    assert f"softmax loses {min(lost):.0f} to {max(lost):.0f} on samples" in WORDS


def test_semantics_matter_more_than_the_head() -> None:
    h = {
        (semantics, head): mean(find("CUB resnet1000", semantics, head), "H")
        for semantics in ("att", "sentences")
        for head in ("eszsl", "remse, global")
    }
    by_semantics = min(h["sentences", head] - h["att", head] for head in ("eszsl", "remse, global"))
    by_head = max(abs(h[s, "eszsl"] - h[s, "remse, global"]) for s in ("att", "sentences"))
    assert by_semantics > 2 * by_head


def test_flat_maps_do_not_help_on_the_test_images() -> None:
    h = {r["head"]: mean(r, "H") for r in rows("real-attention")}
    assert h["global"] > max(h["fused, maps as in the paper"], h["fused, flat maps"])
    flat = f"no gain, {h['fused, maps as in the paper']} to {h['fused, flat maps']}"
    assert f"{flat}; `gem` has {h['gem']}, `apn` {h['apn']})" in WORDS


def test_fine_tuning_the_last_stage_does_not_help() -> None:
    found = {(r["store"], r["head"]): r for r in rows("real-fine-tuning")}
    changes = []
    for (store, label), after in found.items():
        before = found.get((store, label.replace("fine-tuned", "frozen")))
        if label.endswith(", fine-tuned") and before is not None:
            changes.append(round(mean(after, "H") - mean(before, "H"), 1))
            assert changes[-1] <= max(spread(before, "H"), spread(after, "H"))
    assert f"{len(changes)} comparisons of four heads" in WORDS
    assert f"H changes by {min(changes)} to +{max(changes)}, and where it rises" in WORDS


def test_speed() -> None:
    extraction = {(r["way"], r["precision"]): float(r["ratio"] or "nan") for r in rows("extraction-AMD-EPYC-cpu2")}
    assert f"{extraction['forward', 'float32']:.1f} times as fast as the usual timm loop" in WORDS
    assert f"{extraction['forward', 'bfloat16']:.1f} times in bfloat16" in WORDS
    costs = [round(100 * (1 - extraction["pipeline", precision])) for precision in ("float32", "bfloat16")]
    assert f"before decoding and storing ({min(costs)} to {max(costs)} %)" in WORDS
    steps = [float(r["times_as_fast"]) for r in rows("attention_step") if r["step"] == "folded"]
    assert f"{min(steps):.1f} to {max(steps):.1f} times as fast as a literal" in WORDS
