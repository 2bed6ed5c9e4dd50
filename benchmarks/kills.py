"""Kill every command that writes at random moments, and check that nothing is lost, damaged or left behind.

    python benchmarks/kills.py --kills 1000 --out benchmarks/results/kills.csv

Each life of a command is a fork of this process, which has loaded everything already, so that moments fall into the
work and not into imports. After a kill every store and run must be listed and intact; the command is then repeated
until it ends by itself, and what it made must have the bytes that it has without a kill. At the end nothing but stores,
runs and their files may be in the cache.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from zslpipe.cli import main
from zslpipe.workflows.cache import verify_all
from zslpipe.workflows.leftovers import leftovers
from zslpipe.workflows.listing import listing
from zslpipe.workflows.workspace import Workspace

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass
class Verb:
    """A command line, in one or several processes at once, that is killed and repeated.

    Attributes:
        name: in the table.
        lines: arguments of each process.
        needs: the verbs whose results it starts from.
        made: the files whose bytes are compared, by a name that is the same in every cache.
    """

    name: str
    lines: list[list[str]]
    made: Callable[[Path], dict[str, bytes]]
    needs: tuple[str, ...] = ()
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)


def photos(folder: Path, classes: int = 6, each: int = 20) -> None:
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
    """The heads of all runs; the runs of twins must be equal."""
    found: dict[str, bytes] = {}
    for path in sorted((cache / "runs").glob("[!.]*/seed-*/head.*")):
        name = "/".join(path.parts[-2:])
        assert found.setdefault(name, path.read_bytes()) == path.read_bytes(), f"{path} differs from its twin"
    return found


def score_bytes(cache: Path) -> dict[str, bytes]:
    """What eval writes into runs."""
    files = (p for p in (cache / "runs").glob("[!.]*/seed-*/scores/[!.]*"))
    return run_bytes(cache) | {"/".join(p.parts[-3:]): p.read_bytes() for p in files}


def page_bytes(cache: Path) -> dict[str, bytes]:
    """That there is a whole page; it contains the time of the run."""
    return {p.suffix: p.read_bytes()[-20:] for p in (cache / "reports").glob("[!.]*.html")}


def verbs(folder: Path) -> list[Verb]:
    data, features = str(folder / "photos"), str(folder / "features.npy")
    small = ["--backbone", "resnet18", "--weights", "random", "--image-size", "32", "--batch-size", "8"]
    extract = ["extract", "--dataset", data, *small, "--workers", "1"]
    remse = ["train-head", "remse", "--set", "epochs=6", "--set", "branch=global", "--dataset", "photos"]
    imported = ["import", features, "--dataset", data]
    shards = [[*extract, "--shard", f"{i}/2"] for i in range(2)]
    return [
        Verb("import", [imported], store_bytes),
        Verb("extract", [extract], store_bytes),
        Verb("extract, 2 shards", shards, store_bytes),
        Verb("train-head", [remse], run_bytes, ("import",)),
        Verb("train-head, twins", [remse, remse], run_bytes, ("import",)),
        Verb("eval", [["eval", "--gzsl", "--calibrate"]], score_bytes, ("import", "train-head")),
        Verb("report", [["report"]], page_bytes, ("import", "train-head", "eval")),
        Verb("derive", [["derive"]], chunk_bytes, ("import", "train-head")),
    ]


def live(line: Sequence[str], cache: Path) -> int:
    """Start a command in a fork; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    os.environ["ZSLPIPE_CACHE"] = str(cache)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs without it
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(os.open(cache.parent / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    try:
        main(list(line), standalone_mode=True)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    finally:
        os._exit(99)


def end(pids: Sequence[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def whole(verb: Verb, cache: Path) -> None:
    """Run a verb to its end; a process that another one keeps from writing is repeated."""
    for line in verb.lines:
        for _ in range(20):
            code = end([live(line, cache)])[0]
            if code == 0:
                break
        assert code == 0, f"{verb.name} ended with {code}: {(cache.parent / 'stderr.txt').read_text()[-500:]}"


def prepared(verb: Verb, known: dict[str, Verb], cache: Path) -> None:
    cache.mkdir()
    for name in verb.needs:
        whole(known[name], cache)


def kill_until_done(verb: Verb, cache: Path, rng: random.Random, expected: dict[str, bytes], most: int) -> None:
    """Repeat a verb until it was not killed, then compare what it made."""
    place = Workspace(cache.parent, cache)
    for _ in range(most):
        pids = [live(line, cache) for line in verb.lines]
        time.sleep(rng.uniform(0, 1.1 * verb.seconds))
        number = rng.choice(SIGNALS)
        for pid in pids:
            os.kill(pid, number)
        codes = end(pids)
        killed = [code for code in codes if code in (-number, 130)]
        verb.counts[number.name] += len(killed)
        verb.counts["unexpected exit codes"] += sum(code not in (0, 1, -number, 130) for code in codes)
        listing(place)
        for store, found in verify_all(place, None).items():
            if is_damage(found):
                verb.counts["damage"] += 1
                print(f"{verb.name}, {number.name}: {store}: {found}", file=sys.stderr)
        if not killed:
            break
    whole(verb, cache)
    made = verb.made(cache)
    verb.counts["lost or other bytes"] += sum(made.get(name) != content for name, content in expected.items())
    for left in leftovers(place):
        if not swept_later(left.path):
            verb.counts["leftovers"] += 1
            print(f"{verb.name}: {left}", file=sys.stderr)
    verb.counts["rounds"] += 1


def is_damage(found: list[str]) -> bool:
    """A store that a kill left without its record or its last mark is unfinished; the next command goes on with it."""
    unfinished = ("is not a feature store", "complete.json is missing")
    return any(not any(words in sentence for words in unfinished) for sentence in found)


def swept_later(path: Path) -> bool:
    """A temporary file is swept by a later command once nobody can be writing it any more."""
    return path.suffix == ".tmp"


def preload(folder: Path, known: dict[str, Verb]) -> dict[str, dict[str, bytes]]:
    """Import everything, measure how long each verb takes and what it makes without a kill."""
    os.environ["ZSLPIPE_CACHE"] = str(folder / "warm")
    for verb in known.values():
        with suppress(SystemExit):
            main(verb.lines[0], standalone_mode=False)
    expected = {}
    for verb in known.values():
        cache = folder / "alone" / verb.name.replace(" ", "-").replace(",", "") / "cache"
        cache.parent.mkdir(parents=True)
        prepared(verb, known, cache)
        started = time.monotonic()
        whole(verb, cache)
        verb.seconds = (time.monotonic() - started) / len(verb.lines)
        expected[verb.name] = verb.made(cache)
        assert expected[verb.name], f"{verb.name} made nothing"
    return expected


def write_table(known: dict[str, Verb], out: Path) -> None:
    columns = [*(number.name for number in SIGNALS), "rounds", "lost or other bytes", "damage"]
    columns += ["unexpected exit codes", "leftovers"]
    total = sum((verb.counts for verb in known.values()), Counter())
    rows = [[verb.name, *(verb.counts[c] for c in columns)] for verb in known.values()]
    rows.append(["all", *(total[c] for c in columns)])
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", newline="") as stream:
        csv.writer(stream).writerows([["verb", *columns], *rows])
    print(out.read_text())


def run(kills: int, minutes: float, seed: int, out: Path) -> bool:
    rng, started = random.Random(seed), time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos(folder / "photos")
        known = {verb.name: verb for verb in verbs(folder)}
        expected = preload(folder, known)
        number = 0
        while sum(v.counts[s.name] for v in known.values() for s in SIGNALS) < kills:
            if time.monotonic() - started > 60 * minutes:
                break
            for verb in known.values():
                number += 1
                cache = folder / f"round{number}" / "cache"
                cache.parent.mkdir()
                prepared(verb, known, cache)
                kill_until_done(verb, cache, rng, expected[verb.name], most=12)
                shutil.rmtree(cache.parent)
            print(number, {v.name: sum(v.counts[s.name] for s in SIGNALS) for v in known.values()}, file=sys.stderr)
        write_table(known, out)
    return not any(v.counts[c] for v in known.values() for c in ("lost or other bytes", "damage", "leftovers"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("kills.csv"))
    given = parser.parse_args()
    sys.exit(0 if run(given.kills, given.minutes, given.seed, given.out) else 1)
