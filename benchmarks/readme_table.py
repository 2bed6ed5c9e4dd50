"""Generate the tables in README.md and docs/ from the files in benchmarks/results/.

    python benchmarks/readme_table.py

A table is put between `<!-- table: FILE.csv -->` and `<!-- end of table -->`, so that no number in it is typed by hand.
"""

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
ROW = ("store", "semantics", "head")
COLUMNS = (*ROW, "T1", "U", "S", "H", "AUSUC", "oracle H")
ERRORS = tuple(f"error {what}, {side}" for side in ("seen", "unseen") for what in ("mean", "std", "r"))
COLUMNS_OF = {  # by the beginning of the file name
    "differences-": (*ROW, "against", "T1", "H", "H visible"),
    "real-spine": (*COLUMNS, "T1, ± folds", "H, ± folds", "H at δ=0", "H, quantile δ", "H, raw δ"),
    "real-features": (*COLUMNS, "H at δ=0"),
    "real-gaussians": (*COLUMNS, "H, ± folds", "H at δ=0", "ECE before", "ECE", "AUROC of none"),
    "delta_rules": (
        "problems",
        "number",
        "rule",
        "mean loss",
        "95 % lose at most",
        "worst loss",
        "a fold with the δ of the others",
    ),
    "real-generative": (*COLUMNS, "H at δ=0"),
    "real-sc-egg": (*COLUMNS, "H at δ=0"),
    "generator_study": ("dataset", "variant", "T1", "U", "S", "H", "AUSUC", "processor s"),
    "generator_step": ("what", "memory", "way", "cpu_ms", "times_as_fast"),
    "gfzsl-variants": ("dataset", "semantics", "variant", "T1", "H at δ=0", "oracle H", "AUSUC", "validated H"),
    "gfzsl-photos": (
        "dataset",
        "semantics",
        "photos",
        "gfzsl T1",
        "nearest class mean T1",
        "logistic regression T1",
        "gfzsl H, no δ",
    ),
    "any_shot": (
        "dataset",
        "semantics",
        "head",
        "photos",
        "T1",
        "nearest mean T1",
        "logistic regression T1",
        "verdict",
        "H",
        "oracle H",
    ),
    "gfzsl-backbones": ("features", "T1", "H", "H at δ=0", "oracle H", "AUSUC", "validated H"),
    "gfzsl-together": ("dataset", "semantics", "weight of gfzsl", "chosen", "validated H", "T1", "oracle H"),
    "gfzsl-cost": (
        "dataset",
        "semantics",
        "what",
        "eszsl",
        "gfzsl",
        "ratio",
        "1000 images scored, CPU s",
        "MiB beside the features",
    ),
    "real-remse": (*COLUMNS, *ERRORS),
    "regression_grid": ("store", "semantics", "origin", "loss", "λ", "T1", "H", "AUSUC"),
    "attention_grid": ("store", "head", "variant", "rate", "epochs", "T1", "H", "AUSUC", "H at δ=0", "entropy"),
    "real-regression": (*COLUMNS, "H, ± folds", *ERRORS),
    "real-fine-tuning": (*COLUMNS, "tuned"),
    "real-bgsnet": (*COLUMNS, "specialists", "seeds"),
    "dense_attention_grid": (
        "store",
        "variant",
        *("epochs", "T1", "H", "AUSUC", "H at δ=0", "reconstruction", "matching", "maps"),
    ),
    "real-dense-attention": (*COLUMNS, "U at δ=0", "S at δ=0", "H at δ=0", "reconstruction", "matching", "maps"),
    "ray_extraction": ("workers", "wall s", "cpu s", "cpu of plain"),
    "sweep_speed": ("one worker, wall s", "two workers, wall s", "faster, wall", "load"),
    "scale": ("rows", "step", "µs of processor time a row", "wall s", "bytes a row beyond the imports"),
    "serve_load": (
        "what",
        "images_per_second",
        "median_ms",
        "p95_ms",
        "bare_images_per_second",
        "cpu_ms",
        "bare_cpu_ms",
    ),
    "extraction": ("way", "precision", "ratio", "to", "cosine_to_naive"),
    "attention_step": ("batch", "step", "times_as_fast", "outputs", "gradients"),
    "dense_attention_step": ("what", "way", "classes", "median_ms", "peak_mib"),
    "tail_step": ("variant", "median ms", "ratio", "peak MiB", "batch"),
    "store_read": ("what", "reader", "speed_vs_memmap", "cached_mib_before"),
    "gzsl_curve": ("way", "points", "best_H", "AUSUC", "times_exact"),
    "memory_limit": ("store_mib", "classes", "command", "limit_mib", "exit_code", "peak_mib"),
    "kills-": (
        *("verb", "SIGKILL", "SIGTERM", "SIGINT", "rounds"),
        *("lost or other bytes", "damage", "unexpected exit codes", "leftovers", "processes left"),
    ),
    "help_time": ("command", "median s", "longest s"),
}
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def is_number(cell: str) -> bool:
    """Whether a cell is a number, or a mean with its standard deviation."""
    return bool(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?( ± \d+\.\d+)?", cell))


def markdown(file: Path) -> str:
    """The selected columns of a result file as a Markdown table, without rows that have no numbers."""
    rows = read_rows(file)
    wanted = next((columns for name, columns in COLUMNS_OF.items() if file.name.startswith(name)), COLUMNS)
    columns = [c for c in wanted if c in rows[0]]
    lines = [line for line in ([row[c] for c in columns] for row in rows) if any(map(is_number, line))]
    table = ["| " + " | ".join(line) + " |" for line in (columns, ["---"] * len(columns), *lines)]
    seeds = {r["seeds"] for r in rows} if "seeds" in rows[0] else set()
    about = "{processor}, torch {torch}, zslpipe {zslpipe}; ".format(**rows[0]) if seeds else ""  # or in the file name
    if len(seeds) == 1:
        about = f"{seeds.pop()} seeds, {about}"
    caption = f"*{about}`{file.name}`*"
    return "\n".join([*table, "", caption])


def with_tables(text: str) -> str:
    """The page with every marked table generated from its file."""
    return MARKED.sub(lambda m: f"{m[1]}{markdown(RESULTS / m[2])}\n{m[3]}", text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
