"""Kill every command that writes at random moments, and check that nothing is lost, damaged or left behind.

    python benchmarks/kills.py --kills 1000 --out benchmarks/results/kills.csv
    python benchmarks/kills.py --kills 1000 --minutes 10 --out benchmarks/results/kills.csv   # a portion; they add up
    for s in 1 2; do python benchmarks/kills.py --seed $s --out kills.csv & done; wait        # two at a time

Each life of a command is a fork of this process, which has loaded everything already, so that moments fall into the
work and not into imports. After a kill every store and run must be listed and intact, and the processes that the
command had started must have ended; the command is then repeated until it ends by itself, and what it made must have
the bytes that it has without a kill. At the end nothing but stores, runs and their files may be in the cache.
"""

import argparse
import csv
import fcntl
import io
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from zslpipe.cli import main
from zslpipe.files import write_text
from zslpipe.workflows.cache import verify_all
from zslpipe.workflows.leftovers import leftovers
from zslpipe.workflows.listing import listing
from zslpipe.workflows.workspace import Workspace

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
KILLS = tuple(number.name for number in SIGNALS)
WRONG = ("lost or other bytes", "damage", "unexpected exit codes", "leftovers", "processes left")
COLUMNS = (*KILLS, "rounds", *WRONG)


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


def filled(line: Sequence[str], cache: Path) -> list[str]:
    """The arguments with the names that this round's cache starts with."""
    for word, kind in (("RUN", "runs"), ("STORE", "stores")):
        name = next((path.name for path in (cache / kind).glob("[!.]*")), word)
        line = [name if given == word else given for given in line]
    return [word.replace("ROUND", str(cache.parent)) for word in line]


def live(line: Sequence[str], cache: Path) -> int:
    """Start a command in a fork, as the leader of its own group; returns its process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        os.environ["ZSLPIPE_CACHE"] = str(cache)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs without it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(cache.parent / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        main(list(line), standalone_mode=True)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except KeyboardInterrupt:  # before the command could answer it
        os._exit(130)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(99)


def outlived(pid: int, seconds: float = 30.0) -> bool:
    """Whether a process of the group of an ended command is still there after some time; it is then killed.

    A worker that has just been started first ends its imports, which takes seconds on a busy machine.
    """
    give_up = time.monotonic() + seconds
    with suppress(ProcessLookupError):
        while time.monotonic() < give_up:
            os.killpg(pid, 0)
            time.sleep(0.05)
        os.killpg(pid, signal.SIGKILL)
        return True
    return False


def end(pids: Sequence[int], seconds: float = 120.0) -> list[int]:
    """The exit codes of commands; one that hangs is killed, and its code says so."""
    give_up = time.monotonic() + seconds
    codes: dict[int, int] = {}
    while len(codes) < len(pids):
        for pid in pids:
            if pid not in codes and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                codes[pid] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            elif pid not in codes and time.monotonic() > give_up:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    return [codes[pid] for pid in pids]


def whole(verb: Verb, lines: Sequence[Sequence[str]], cache: Path) -> None:
    """Run a verb to its end; a process that another one keeps from writing is repeated."""
    for line in lines:
        for _ in range(20):
            code = end([live(line, cache)])[0]
            if code in verb.repeated:
                break
        assert code in verb.repeated, f"{verb.name} ended with {code}: {said(cache)}"


def said(cache: Path) -> str:
    return (cache.parent / "stderr.txt").read_text()[-1000:]


def prepared(verb: Verb, known: dict[str, Verb], cache: Path) -> None:
    """Make the cache that a verb starts from; always at the same place, so that a copy will do."""
    shutil.rmtree(cache.parent, ignore_errors=True)
    cache.mkdir(parents=True)
    kept = cache.parents[1] / "prepared" / "+".join(verb.needs)
    if verb.needs and not kept.exists():
        for name in verb.needs:
            whole(known[name], known[name].lines, cache)
        shutil.copytree(cache, kept)
    elif verb.needs:
        shutil.copytree(kept, cache, dirs_exist_ok=True)
    if verb.before:
        verb.before(cache)


def kill_until_done(verb: Verb, cache: Path, rng: random.Random, expected: dict[str, bytes], most: int) -> None:
    """Repeat a verb until it was not killed, then compare what it made."""
    place = Workspace(cache.parent, cache)

    def count(what: str, about: object) -> None:
        verb.counts[what] += 1
        print(f"{verb.name}: {what}: {about}", file=sys.stderr)

    lines = [filled(line, cache) for line in verb.lines]
    for _ in range(most):
        pids = [live(line, cache) for line in lines]
        time.sleep(rng.uniform(0, verb.seconds))
        number = rng.choice(SIGNALS)
        for pid in pids:
            os.kill(pid, number)
        codes = end(pids)
        killed = [code for code in codes if code in (-number, 130)]
        verb.counts[number.name] += len(killed)
        for code in codes:
            if code not in (1, -number, 130, *verb.repeated):
                count("unexpected exit codes", f"{code} after {number.name}: {said(cache)}")
        for pid in pids:
            if outlived(pid):
                count("processes left", number.name)
        listing(place)
        for name, found in {} if verb.before else damage_found(place):
            count("damage", f"{name} after {number.name}: {found}")
        if not killed:
            break
    whole(verb, lines, cache)
    made = verb.made(cache)
    for name, content in expected.items():
        if made.get(name) != content:
            count("lost or other bytes", name)
    for name, found in damage_found(place):
        count("damage", f"{name} at the end: {found}")
    for left in leftovers(place):
        if not swept_later(left.path):
            count("leftovers", left)
    verb.counts["rounds"] += 1


def damage_found(place: Workspace) -> Iterator[tuple[str, list[str]]]:
    """Damaged stores and runs.

    A store that a kill left without its record or its last mark is unfinished; the next command goes on with it.
    """
    unfinished = ("is not a feature store", "complete.json is missing")
    for name, found in verify_all(place, None).items():
        if any(not any(words in sentence for words in unfinished) for sentence in found):
            yield name, found


def swept_later(path: Path) -> bool:
    """A temporary file is swept by a later command once nobody can be writing it any more."""
    return path.suffix == ".tmp"


def preload(folder: Path, known: dict[str, Verb]) -> dict[str, dict[str, bytes]]:
    """Import everything, measure how long each verb takes and what it makes without a kill."""
    torch.set_num_threads(1)  # threads of this process would be missing in its forks
    expected = {}
    for warm in (True, False):
        for verb in known.values():
            cache = folder / ("warm" if warm else "round") / "cache"
            if warm:
                cache.mkdir(parents=True, exist_ok=True)
                os.environ["ZSLPIPE_CACHE"] = str(cache)
                with suppress(SystemExit), redirect_stdout(None):
                    main(filled(verb.lines[0], cache), standalone_mode=False)
                continue
            prepared(verb, known, cache)
            started = time.monotonic()
            whole(verb, [filled(line, cache) for line in verb.lines], cache)
            verb.seconds = (time.monotonic() - started) / len(verb.lines)
            expected[verb.name] = verb.made(cache)
            assert expected[verb.name], f"{verb.name} made nothing"
    return expected


def read_table(out: Path) -> dict[str, Counter[str]]:
    """The counts of every verb so far."""
    if not out.exists():
        return {}
    with out.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["verb"] != "all"]
    return {row["verb"]: Counter({c: int(row[c]) for c in COLUMNS}) for row in rows}


def write_table(table: dict[str, Counter[str]], out: Path) -> None:
    everything = table | {"all": sum(table.values(), Counter())}
    rows = [[name, *(counts[c] for c in COLUMNS)] for name, counts in everything.items()]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([["verb", *COLUMNS], *rows])
    write_text(out, text.getvalue())


def add_round(verb: Verb, names: Sequence[str], out: Path) -> None:
    """Add a verb's counts to the table, which other processes may be adding to, and reset them."""
    folder = os.open(out.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        table: dict[str, Counter[str]] = {name: Counter() for name in names} | read_table(out)
        table[verb.name].update(verb.counts)
        write_table(table, out)
    finally:
        os.close(folder)
    verb.counts.clear()


def run(kills: int, minutes: float, seed: int, out: Path) -> bool:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos(folder / "photos")
        (folder / "mine").mkdir()
        (folder / "mine" / "photos.yaml").write_text(RECIPE.format(data=folder / "photos"))
        (folder / "mine" / "sweep.yaml").write_text(SWEEP)
        known = {verb.name: verb for verb in verbs(folder)}

        def total(*columns: str) -> int:
            return sum(counts[c] for counts in read_table(out).values() for c in columns)

        rng = random.Random(f"{seed} {total('rounds')}")  # another portion, other moments
        expected = preload(folder, known)
        while total(*KILLS) < kills and time.monotonic() - started < 60 * minutes:
            table = read_table(out)
            rounds = {name: table[name]["rounds"] if name in table else 0 for name in known}
            verb = known[rng.choice([name for name in known if rounds[name] == min(rounds.values())])]
            cache = folder / "round" / "cache"
            prepared(verb, known, cache)
            kill_until_done(verb, cache, rng, expected[verb.name], most=12)
            add_round(verb, list(known), out)
        print(out.read_text())
        return not total(*WRONG)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("kills.csv"), help="CSV file; an existing one is added to")
    given = parser.parse_args()
    sys.exit(0 if run(given.kills, given.minutes, given.seed, given.out) else 1)
