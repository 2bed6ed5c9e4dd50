"""How long `zslpipe --help` and every verb's --help take, against starting Python itself, in one run."""

import statistics
import subprocess
import sys
import time

from zslpipe.cli import VERBS


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main(repeats: int = 7) -> None:
    program = [sys.executable, "-m", "zslpipe"]
    lines = {"(python itself)": [sys.executable, "-c", "pass"], "zslpipe --help": [*program, "--help"]}
    lines |= {f"zslpipe {verb} --help": [*program, verb, "--help"] for verb in VERBS}
    times: dict[str, list[float]] = {name: [] for name in lines}
    for _ in range(repeats):
        for name, command in lines.items():
            times[name].append(seconds(command))
    for name, taken in times.items():
        print(f"{name:28s} median {statistics.median(taken):.3f} s   max {max(taken):.3f} s")


if __name__ == "__main__":
    main()
