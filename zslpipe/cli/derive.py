"""zslpipe derive"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import as_json, examples, parse_settings, places, print_json, workspace

EXAMPLES = examples(
    "zslpipe derive",
    "zslpipe derive cub-remse-20260101-120000 --seeds 5",
    "zslpipe derive cub-remse-20260101-120000 --selection unseen-class --rule folds=5",
    "zslpipe derive cub-remse-20260101-120000 --final-only --json",
)


@click.command("derive", epilog=EXAMPLES)
@click.argument("run", required=False)
@click.option("--seed", type=int, help="Which of the run's seeds.", show_default="its first")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    help="Number of seeds that train-head will use on this store.",
    show_default="--seed only",
)
@click.option("--selection", help="Selection rule of train-head on this store.", show_default="that of the run")
@click.option(
    "--rule",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set folds, holdout or transfer of the selection rule.",
)
@click.option("--final-only", is_flag=True, help="Only the final features, which selection refuses.")
@places
@as_json
def command(
    run: str | None,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
    rule: tuple[str, ...],
    seeds: int | None,
    final_only: bool,
    selection: str | None,
    **options: Any,
) -> None:
    """Make a store of the embeddings of a trained head.

    Without RUN: the newest run. The head has seen labels of all training images, so settings cannot be selected on
    its features: validation would score images whose labels it knows. The store therefore also contains, for every
    validation fold, the features of a head that was fitted inside that fold; train-head uses them automatically and
    refuses a store without them. Folds depend on the selection rule, its options and its seed: give those that
    train-head will be called with. Each fold costs one training.

    An interrupted call resumes when it is repeated.
    """
    from zslpipe.workflows.derive import derive_store

    if rule and selection is None:
        raise click.UsageError("--rule needs --selection.")
    keep_freed_memory()
    done = derive_store(
        workspace(data_root, cache),
        run,
        folds=not final_only,
        seeds=None if seeds is None else range(seeds),
        selection=selection,
        selection_options=parse_settings(rule),
        **options,
    )
    result = done.as_json()
    if json_:
        print_json(result)
        return
    for note in done.notes:
        click.echo(note)
    click.echo(f"store    {done.store.path}")
    for tap, shape in result["taps"].items():
        seen = result["labels_seen"][tap]
        size = " x ".join(map(str, shape))
        click.echo(f"{tap:14s} {size}, from labels of {seen['images']} images of {seen['classes']} classes")
    click.echo(f"rows     {done.computed} computed, {done.reused} reused, {len(result['failed'])} failed")
