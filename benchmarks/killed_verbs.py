"""The commands that `kills.py` kills: what they start from, and which bytes they must leave."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

RECIPE = """system: mine
paper: none
dataset: {data}
backbone: resnet18
weights: random
image_size: 32
head: remse
settings: {{epochs: 2, branch: global}}
reading: paper
published: {{}}
"""


SWEEP = """heads:
  - eszsl
  - head: remse
    settings: {epochs: 2, branch: global}
"""


@dataclass
class Verb:
    """A command line, in one or several processes at once, that is killed and repeated.

    Attributes:
        name: in the table.
        lines: arguments of each process; "ROUND" stands for the folder that contains the cache.
        made: the files whose bytes are compared, by a name that is the same in every cache.
        needs: the verbs whose results it starts from.
        before: what else is done to the cache before it starts.
        repeated: the exit codes of a repetition after it has done its work; `cache rm` then finds nothing.
    """

    name: str
    lines: list[list[str]]
    made: Callable[[Path], dict[str, bytes]]
    needs: tuple[str, ...] = ()
    before: Callable[[Path], None] | None = None
    repeated: tuple[int, ...] = (0,)
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


def inputs(folder: Path) -> None:
    """Photos, features, a recipe and a sweep file."""
    photos(folder / "photos")
    (folder / "mine").mkdir()
    (folder / "mine" / "photos.yaml").write_text(RECIPE.format(data=folder / "photos"))
    (folder / "mine" / "sweep.yaml").write_text(SWEEP)


def photos(folder: Path, classes: int = 6, each: int = 20) -> None:
    """Noise for every class, with the table of the classes; beside the folder, features that fit the table."""
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(classes, 4)).round(3)
    rows = [f"c{c},{'unseen' if c > 3 else 'seen'},{','.join(map(str, values[c]))}" for c in range(classes)]
    for c in range(classes):
        (folder / f"c{c}").mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"c{c}" / f"{i}.png")
    (folder / "classes.csv").write_text("\n".join(["class,split,a,b,c,d", *rows]) + "\n")
    features = np.repeat(values, each, axis=0) @ rng.normal(size=(4, 64)) + rng.normal(size=(classes * each, 64))
    np.save(folder.parent / "features.npy", features.astype(np.float32))


def store_bytes(cache: Path) -> dict[str, bytes]:
    """All files of all stores but the empty lock."""
    files = (p for p in (cache / "stores").glob("[!.]*/**/*") if p.is_file())
    return {str(p.relative_to(cache)): p.read_bytes() for p in files}


def chunk_bytes(cache: Path) -> dict[str, bytes]:
    """The chunks of all stores; the record of a derived store names its run, which contains the time."""
    return {name: content for name, content in store_bytes(cache).items() if Path(name).name.startswith("c.")}


def run_bytes(cache: Path) -> dict[str, bytes]:
    """The heads of all runs, by the dataset and the head in their names; the runs of twins must be equal."""
    found: dict[str, bytes] = {}
    for path in sorted((cache / "runs").glob("[!.]*/seed-*/head.*")):
        name = "/".join([re.sub(r"-\d{8}-\d{6}.*", "", path.parts[-3]), *path.parts[-2:]])
        assert found.setdefault(name, path.read_bytes()) == path.read_bytes(), f"{path} differs from its twin"
    return found


def score_bytes(cache: Path) -> dict[str, bytes]:
    """What eval writes into runs."""
    files = (p for p in (cache / "runs").glob("[!.]*/seed-*/scores/[!.]*"))
    return run_bytes(cache) | {"/".join(p.parts[-3:]): p.read_bytes() for p in files}


def page_ends(cache: Path) -> dict[str, bytes]:
    """That every page is whole; they contain the time of the run."""
    return {p.name.split("-")[0]: p.read_bytes()[-20:] for p in cache.parent.rglob("[!.]*.html")}


def sweep_bytes(cache: Path) -> dict[str, bytes]:
    """The heads of all runs, and that the report is whole."""
    return run_bytes(cache) | page_ends(cache)


def exported_bytes(cache: Path) -> dict[str, bytes]:
    """MATLAB files without their header, which contains the time."""
    return {p.name: p.read_bytes()[128:] for p in (cache.parent / "exported").glob("[!.]*")}


def names(cache: Path) -> dict[str, bytes]:
    """What is in the cache, by kind."""
    return {kind: b" ".join(bytes(p) for p in (cache / kind).glob("[!.]*")) for kind in ("stores", "runs")}


def damage(cache: Path) -> None:
    """Flip a bit of a chunk, and remove another chunk and the benchmark of the store."""
    chunks = sorted(cache.glob("stores/*/features.zarr/*/c.*"))
    content = bytearray(chunks[0].read_bytes())
    content[len(content) // 2] ^= 1
    chunks[0].write_bytes(content)
    chunks[-1].unlink()
    next(cache.glob("stores/*/benchmark.npz")).unlink()


def verbs(folder: Path) -> list[Verb]:
    data, features = str(folder / "photos"), str(folder / "features.npy")
    images = [f"{data}/c0/0.png", f"{data}/c5/1.png"]
    small = ["--backbone", "resnet18", "--weights", "random", "--image-size", "32", "--batch-size", "8"]
    extract = ["extract", "--dataset", data, *small, "--workers", "1"]
    train = ["--set", "epochs=3", "--dataset", "photos"]
    remse = ["train-head", "remse", "--set", "branch=global", *train]
    gan = [*train, "--set", "every=1", "--set", "hidden=32", "--set", "classifier_epochs=2", "--set", "synthetic=20"]
    imported = ["import", features, "--dataset", data]
    shards = [[*extract, "--shard", f"{i}/2"] for i in range(2)]
    recipe = folder / "mine" / "photos.yaml"
    sweep = ["sweep", str(folder / "mine" / "sweep.yaml"), "--jobs", "1", "--threads", "1"]
    return [
        Verb("import", [imported], store_bytes),
        Verb("extract", [extract], store_bytes),
        Verb("extract, 2 shards", shards, store_bytes),
        Verb("extract, trunk", [[*extract, "--taps", "global,trunk"]], store_bytes),
        Verb("train-head", [remse], run_bytes, ("import",)),
        Verb("train-head, twins", [remse, remse], run_bytes, ("import",)),
        Verb("train-head, --jobs", [[*remse, "--jobs", "2"]], run_bytes, ("import",)),
        Verb("train-head, stages", [["train-head", "tf-vaegan", *gan]], run_bytes, ("import",)),
        Verb("train-head, tail", [[*remse, "--mode", "tail"]], run_bytes, ("extract, trunk",)),
        Verb("run", [["run", str(recipe)]], run_bytes),
        Verb("sweep", [sweep], sweep_bytes, ("import",)),
        Verb("eval", [["eval", "--gzsl", "--calibrate"]], score_bytes, ("import", "train-head")),
        Verb("report", [["report"]], page_ends, ("import", "train-head", "eval")),
        Verb("derive", [["derive"]], chunk_bytes, ("import", "train-head")),
        Verb(
            "predict",
            [["predict", "RUN", *images, "--page", "ROUND/page.html", "--workers", "1"]],
            page_ends,
            ("extract", "train-head"),
        ),
        Verb(
            "explain", [["explain", "RUN", *images, "--out", "ROUND/page.html"]], page_ends, ("extract", "train-head")
        ),
        Verb("export", [["export", "--out", "ROUND/exported"]], exported_bytes, ("import",)),
        Verb("cache repair", [["cache", "repair"]], store_bytes, ("extract",), damage),
        Verb("cache rm", [["cache", "rm", "STORE", "RUN", "--yes"]], names, ("import", "train-head"), repeated=(0, 2)),
    ]


def filled(line: Sequence[str], cache: Path) -> list[str]:
    """The arguments with the names that this round's cache starts with."""
    for word, kind in (("RUN", "runs"), ("STORE", "stores")):
        name = next((path.name for path in (cache / kind).glob("[!.]*")), word)
        line = [name if given == word else given for given in line]
    return [word.replace("ROUND", str(cache.parent)) for word in line]
