"""zslpipe explain"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe explain sun-remse-20260101-120000 abbey/sun_aqqz.jpg",
    "zslpipe explain sun-remse-20260101-120000 0 1 2 --class beach --class abbey --out pictures",
)


@click.command("explain", epilog=EXAMPLES)
@click.argument("run")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--seed", type=int, help="Which of the run's seeds.", show_default="the first")
@click.option("--others", type=click.IntRange(0), default=3, show_default=True, help="Number of wrong classes to show.")
@click.option("--class", "classes", multiple=True, metavar="NAME", help="Show this class instead. Repeatable.")
@click.option("--out", type=PATH, help="Folder for the pictures.", show_default="RUN/explain")
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
    """Draw where a run looks in images.

    Writes one PNG per image of the run's dataset; IMAGE is an id, a file name or a row number. Shown are the true
    class and the wrong classes with the highest scores; heads with one attention map per attribute show the
    attributes of the class.
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
