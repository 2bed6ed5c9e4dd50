"""zslpipe train-head"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.options import as_json, parse_settings, places, print_json, workspace


@click.command("train-head")
@click.argument("head")
@click.option("--store", help="Name or folder of a store; the newest where not given.")
@click.option("--dataset", help="Take the newest store of this data set.")
@click.option("--backbone", help="Take the newest store of this backbone.")
@click.option("--semantics", help="att (default), original_att, sentences, or a .mat, .npy or .csv FILE.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Fix a hyper-parameter of the head.")
@click.option(
    "--selection", default="unseen-class", show_default=True, help="unseen-class, seen, or oracle (uses the test set)."
)
@click.option(
    "--rule", multiple=True, metavar="KEY=VALUE", help="Set the rule's folds, holdout, transfer or criterion."
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="How many seeds to train.")
@places
@as_json
def command(
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
    settings: tuple[str, ...],
    rule: tuple[str, ...],
    seeds: int,
    **options: Any,
) -> None:
    """Train a head from stored features: select on validation classes, then refit on all training images."""
    from zslpipe.workflows.train import train_from_cache

    run, notes = train_from_cache(
        workspace(data_root, cache),
        settings=parse_settings(settings),
        selection_options=parse_settings(rule),
        seeds=range(seeds),
        **options,
    )
    choices = {seed: run.choice(seed) for seed in run.seeds}
    if json_:
        print_json({"run": str(run.path), "choices": {seed: c.to_json() for seed, c in choices.items()}})
        return
    for note in notes:
        click.echo(note)
    click.echo(f"run      {run.path}")
    for seed, choice in choices.items():
        chosen = ", ".join(f"{key}={value}" for key, value in choice.params.items()) or "the defaults"
        validated = ", ".join(f"{key} {value:.3f}" for key, value in choice.metrics.items())
        click.echo(f"seed {seed}   {chosen} ({choice.rule}, best of {len(choice.trials)}: {validated})")
