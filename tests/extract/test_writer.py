import subprocess
import sys

INTERRUPTED = """
import random, signal
from zslpipe.extract.writer import Writer

def interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
moments, written = random.Random(0), []
for _ in range(300):
    try:
        with Writer(lambda piece, *_: written.append(piece)) as writer:
            signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-4, 3e-3))
            while True:
                writer.put(0, {}, {})
    except KeyboardInterrupt:
        pass
print(len(written) > 300)
"""


def test_an_interruption_at_any_moment_does_not_hang() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
