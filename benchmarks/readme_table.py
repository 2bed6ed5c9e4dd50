"""Put the tables of benchmarks/results into the README, between their markers: no number there is typed by hand.

python benchmarks/readme_table.py
"""

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROW = ("store", "semantics", "head")
COLUMNS = (*ROW, "T1", "U", "S", "H", "AUSUC", "oracle H")
ERRORS = tuple(f"error {what}, {side}" for side in ("seen", "unseen") for what in ("mean", "std", "r"))
OTHER_COLUMNS = {  # by the beginning of the file's name
    "real-remse": (*COLUMNS, *ERRORS),
    "real-reweighting": (*ROW, "T1", "H", *ERRORS),
    "real-dense-attention": (*COLUMNS, "U at δ=0", "S at δ=0", "H at δ=0"),
    "extraction": ("way", "precision", "ratio", "to", "cosine_to_naive"),
    "attention_step": ("batch", "step", "times_as_fast", "outputs", "gradients"),
    "dense_attention_step": ("what", "way", "classes", "median_ms", "peak_mib"),
    "store_read": ("what", "reader", "speed_vs_memmap"),
    "help_time": ("command", "median s", "longest s"),
}
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def markdown(file: Path) -> str:
    """The CSV's columns of numbers as a table."""
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    wanted = next((c for name, c in OTHER_COLUMNS.items() if file.name.startswith(name)), COLUMNS)
    columns = [c for c in wanted if c in rows[0]]
    told = [line for line in ([row[c] for c in columns] for row in rows) if any(line[1:])]
    lines = [columns, ["---"] * len(columns), *told]
    about = "{seeds} seeds, {processor}, torch {torch}, zslpipe {zslpipe}; "  # timings have theirs in the file's name
    circumstances = about.format(**rows[0]) if "seeds" in rows[0] else ""
    return "\n".join(["| " + " | ".join(line) + " |" for line in lines] + ["", f"*{circumstances}`{file.name}`*"])


def with_tables(text: str) -> str:
    """The README with every marked table made anew from its file."""
    return MARKED.sub(lambda m: f"{m[1]}{markdown(ROOT / 'benchmarks' / 'results' / m[2])}\n{m[3]}", text)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_tables(readme.read_text()))
