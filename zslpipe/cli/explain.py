"""zslpipe explain"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, places, print_json, workspace


@click.command("explain")
@click.argument("run")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--seed", type=int, help="Which of the run's heads; the first where not given.")
@click.option("--others", type=click.IntRange(0), default=3, show_default=True, help="Wrong classes to show.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Show this class instead of those.")
@click.option("--out", type=PATH, help="Folder of the pictures. [RUN/explain]")
@places
@as_json
def command(
    run: str,
    images: tuple[str, ...],
    seed: int | None,
    others: int,
    classes: tuple[str, ...],
    out: Path | None,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Draw where a run looks in images of its data set, each IMAGE an id, a file name or a row.

    For the true class and the strongest wrong ones; heads that attend by attribute show the class's attributes.
    """
    from zslpipe.workflows.explain import explain_images

    done = explain_images(workspace(data_root, cache), run, images, seed=seed, others=others, classes=classes, out=out)
    if json_:
        print_json([explained.as_json() for explained in done])
        return
    for explained in done:
        about = explained.explanation
        verdict = "" if about.true is None else " (right)" if about.true == about.predicted else f", is {about.true}"
        click.echo(f"{about.image}   says {about.predicted}{verdict}")
        click.echo(f"   {explained.picture}")
