"""zslpipe predict"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

if TYPE_CHECKING:
    from zslpipe.serving.predictor import Prediction

EXAMPLES = examples(
    "zslpipe predict my-birds-remse-20260101-120000 photo.jpg",
    "zslpipe predict my-birds-remse-20260101-120000 holiday --top 5 --page holiday.html",
    "zslpipe predict my-birds-remse-20260101-120000 holiday --classes more.csv --reject --csv",
    "zslpipe predict my-birds-remse-20260101-120000 holiday --examples some-photos",
    "zslpipe predict my-birds-remse-20260101-120000 - --json < paths.txt",
)


@click.command("predict", epilog=EXAMPLES)
@click.argument("run")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE|FOLDER|-...")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="Number of classes to show.")
@click.option("--classes", type=PATH, help="CSV file of new classes, described by the same attributes.")
@click.option("--examples", type=PATH, help="Folder with a subfolder of photos for some of the unseen classes.")
@click.option("--refit", is_flag=True, help="Fit the head again with the examples, instead of moving its scores.")
@click.option("--reject", is_flag=True, help="Say 'none of these' below a validated threshold of certainty.")
@click.option("--csv", "csv_", is_flag=True, help="Print CSV, one line per image and class.")
@click.option("--page", type=PATH, help="HTML file to write with the images and their classes.")
@click.option("--seed", type=int, help="Which of the run's seeds.", show_default="the first")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option("--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Images per batch.")
@click.option("--workers", type=click.IntRange(1), help="Decoding workers.", show_default="the number of cores")
@places
@as_json
def command(
    run: str,
    images: tuple[str, ...],
    csv_: bool,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
    **options: Any,
) -> None:
    """Name images that the run has never seen.

    IMAGE is a file, a folder stands for all images in it, and - reads one path per line from standard input. Classes
    are shown with their probabilities and as seen, unseen or new. An image that cannot be read does not stop the
    others; the exit code is then 1.
    """
    from zslpipe.workflows.predict import predict_images

    if csv_ and json_:
        raise click.UsageError("--csv and --json exclude each other.")
    keep_freed_memory()
    paths = [path for given in images for path in (_lines() if given == "-" else [given])]
    try:
        done = predict_images(workspace(data_root, cache), run, paths, **options)
    except KeyboardInterrupt as stop:
        stop.add_note("predictions are printed at the end; nothing was printed yet.")
        raise
    if json_:
        print_json(done.as_json())
    elif csv_:
        click.echo(done.as_csv(), nl=False)
    else:
        for one in done.images:
            if not one.error:
                click.echo(_text(one))
        if done.page:
            click.echo(f"page     {done.page}")
    for note in done.notes:
        click.echo(f"note: {note}", err=True)
    for one in done.failed:
        click.echo(f"zslpipe: {one.error}", err=True)
    if done.failed:
        sys.exit(1)


def _lines() -> list[str]:
    return [line for line in map(str.strip, sys.stdin) if line]


def _text(one: "Prediction") -> str:
    from zslpipe.workflows.predict import NONE

    named = ", ".join(f"{c.name} ({c.kind}) {c.text}" for c in one.candidates)
    return f"{one.image}   {f'{NONE}; nearest: ' if one.known is False else ''}{named}"
