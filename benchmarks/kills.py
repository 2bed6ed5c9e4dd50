"""Kill every command that writes at random moments, and check that nothing is lost, damaged or left behind.

    python benchmarks/kills.py --kills 1000 --out benchmarks/results/kills.csv
    python benchmarks/kills.py --kills 1000 --minutes 10 --out benchmarks/results/kills.csv   # a portion; they add up
    for s in 1 2; do python benchmarks/kills.py --seed $s --out kills.csv & done; wait        # two at a time

Each life of a command is a fork of this process, which has loaded everything already, so that moments fall into the
work and not into imports. After a kill every store and run must be listed and intact, and the processes that the
command had started must have ended; the command is then repeated until it ends by itself, and what it made must have
the bytes that it has without a kill. At the end nothing but stores, runs and their files may be in the cache, except
temporary files, which a later command sweeps once they are old.
"""

import argparse
import csv
import fcntl
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from pathlib import Path

import torch
from killed_verbs import Verb, filled, inputs, verbs

from zslpipe.cli import main
from zslpipe.files import write_text
from zslpipe.workflows.cache import verify_all
from zslpipe.workflows.leftovers import leftovers
from zslpipe.workflows.listing import listing
from zslpipe.workflows.workspace import Workspace

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
KILLS = tuple(number.name for number in SIGNALS)
WRONG = ("lost or other bytes", "damage", "unexpected exit codes", "leftovers", "processes left")
UNFINISHED = ("is not a feature store", "complete.json is missing")  # after a kill; the next command goes on with it
COLUMNS = (*KILLS, "rounds", *WRONG)


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
        for name, found in {} if verb.before else damage_found(place, UNFINISHED):
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


def damage_found(place: Workspace, excused: Sequence[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """Damaged stores and runs, except for sentences that contain the excused words."""
    for name, found in verify_all(place, None).items():
        if any(not any(words in sentence for words in excused) for sentence in found):
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
        inputs(folder)
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
