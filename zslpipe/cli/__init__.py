"""The command line: one file per verb, imported only when that verb is used."""

import importlib
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from zslpipe import __version__
from zslpipe.cli.memory import return_freed_memory
from zslpipe.cli.options import examples
from zslpipe.errors import ZslpipeError
from zslpipe.progress import show_progress

VERBS = {  # verb -> module, in the order of --help
    "quickstart": "quickstart",
    "data": "data",
    "heads": "heads",
    "backbones": "backbones",
    "recipes": "recipes",
    "extract": "extract",
    "import": "import_",
    "export": "export",
    "cache": "cache",
    "train-head": "train_head",
    "derive": "derive",
    "run": "run",
    "sweep": "sweep",
    "eval": "eval",
    "compare": "compare",
    "leaderboard": "leaderboard",
    "report": "report",
    "predict": "predict",
    "explain": "explain",
    "serve": "serve",
    "push": "push",
    "pull": "pull",
    "doctor": "doctor",
}


class Verbs(click.Group):
    """A group whose commands are the modules beside this file."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"zslpipe.cli.{VERBS[cmd_name]}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        from zslpipe.registry import unknown

        verb = click.utils.make_str(args[0])
        if verb not in VERBS and not verb.startswith("-"):
            raise unknown("verb", verb, VERBS)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Ctrl-C or SIGTERM ends in a sentence on what is kept, and exit code 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            notes = getattr(stop, "__notes__", ["what was finished is kept."])
            click.echo(f"zslpipe: interrupted; {' '.join(notes)}", err=True)
            ctx.exit(130)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run; an error becomes one sentence on stderr and the exit code."""
        warnings.showwarning = _note  # type: ignore[assignment]
        return_freed_memory()
        try:
            with show_progress(), _terminated_as_interrupted():
                return super().main(*args, **kwargs)
        except ZslpipeError as problem:
            click.echo(f"zslpipe: {problem}", err=True)
            sys.exit(problem.exit_code)
        except OSError as problem:  # a full disk, a folder without write permission
            where = f"{problem.filename}: " if problem.filename else ""
            reason = " ".join(str(problem.strerror or problem).split())
            click.echo(f"zslpipe: {where}{reason}; fix this and run again, finished work is kept.", err=True)
            sys.exit(1)
        except (MemoryError, RuntimeError) as problem:
            if not _out_of_memory(problem):
                raise
            click.echo("zslpipe: not enough memory; use smaller settings, or a machine with more.", err=True)
            sys.exit(1)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Within the block SIGTERM, which SLURM, docker and timeout send, does what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # others cannot set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _out_of_memory(problem: Exception) -> bool:
    """Whether Python, or torch in its own words, could not allocate memory."""
    torchs = type(problem).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(problem)
    return isinstance(problem, MemoryError) or torchs


def _note(message: Warning | str, category: type[Warning], filename: str, *_: Any) -> None:
    """Show the library's warnings as plain lines, and those of other packages not at all."""
    if category is UserWarning and "zslpipe" in filename:
        click.echo(f"note: {message}", err=True)


EXAMPLES = examples(
    "zslpipe quickstart",
    "zslpipe extract --backbone resnet101 --dataset cub",
    "zslpipe train-head remse",
    "zslpipe eval --gzsl --calibrate",
)


@click.command(
    cls=Verbs, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="zslpipe")
def main() -> None:
    """Zero-shot learning from cached features: extract once, train heads in seconds, report numbers that hold."""
