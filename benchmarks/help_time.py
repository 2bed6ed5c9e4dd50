"""How long `zslpipe --help` and every verb's --help take, against starting Python itself, in one run."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from common import result_file, write_table

from zslpipe.cli import VERBS


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main(repeats: int = 7) -> None:
    program = str(Path(sys.executable).with_name("zslpipe"))
    lines = {"python -c pass": [sys.executable, "-c", "pass"], "zslpipe --help": [program, "--help"]}
    lines |= {f"zslpipe {verb} --help": [program, verb, "--help"] for verb in VERBS}
    times: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(repeats):  # in turns, so that a busy moment hits them all
        for name, command in lines.items():
            times[name].append(seconds(command))
    rows = [
        {"command": name, "median s": f"{statistics.median(taken):.3f}", "longest s": f"{max(taken):.3f}"}
        for name, taken in times.items()
    ]
    for row in rows:
        print(*row.values(), sep="  ")
    write_table(result_file("help_time"), rows)


if __name__ == "__main__":
    main()
