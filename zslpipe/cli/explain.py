"""zslpipe explain"""

from pathlib import Path

import click

from zslpipe.cli.options import PATH, as_json, examples, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe explain sun-remse-20260101-120000 abbey/sun_aqqz.jpg",
    "zslpipe explain sun-remse-20260101-120000 0 1 2 --class beach --class abbey --out pictures",
    "zslpipe explain sun-remse-20260101-120000 holiday.jpg --classes more.csv --out why.html",
)


@click.command("explain", epilog=EXAMPLES)
@click.argument("run")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--seed", type=int, help="Which of the run's seeds.", show_default="the first")
@click.option("--others", type=click.IntRange(0), default=3, show_default=True, help="Number of wrong classes to show.")
@click.option(
    "--class", "classes", multiple=True, metavar="NAME", help="Compare with this class; show its maps. Repeatable."
)
@click.option("--classes", "more", type=PATH, help="CSV file of new classes, described by the same attributes.")
@click.option("--examples", "photos", type=PATH, help="Folder of photos of unseen classes, as for predict.")
@click.option("--out", type=PATH, help="Folder, .png or .html file for the pictures.", show_default="RUN/explain")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@places
@as_json
def command(
    run: str,
    images: tuple[str, ...],
    seed: int | None,
    others: int,
    classes: tuple[str, ...],
    more: Path | None,
    photos: Path | None,
    out: Path | None,
    device: str,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Show why a run names images as it does.

    IMAGE is an id, a file name or a row number of the run's dataset, or any other image file. Shown are the most
    likely classes, the attributes that spoke for the winner and for its rival (the class of --class, or the true class
    if it lost, or else the runner-up), and attention maps: of the true class and the strongest wrong classes, or, for
    heads with one map per attribute, of the attributes of the class. A map shows where the head looked, not how sure
    it is. For heads that predict no attributes, a ridge regression estimates those of the image, and the picture says
    so.
    """
    from zslpipe.workflows.explain import explain_images

    where = workspace(data_root, cache)
    done = explain_images(
        where, run, images, seed=seed, others=others, classes=classes, more=more, photos=photos, out=out, device=device
    )
    if json_:
        print_json([explained.as_json() for explained in done])
        return
    for explained in done:
        about = explained.explanation
        verdict = "" if about.true is None else " (right)" if about.true == about.predicted else f", is {about.true}"
        click.echo(f"{about.image}   predicted {about.predicted}{verdict}")
        click.echo(f"   {explained.picture}")
