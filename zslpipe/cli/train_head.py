"""zslpipe train-head"""

from pathlib import Path
from typing import Any

import click

from zslpipe.cli.memory import keep_freed_memory
from zslpipe.cli.options import (
    PATH,
    as_json,
    examples,
    parse_grid,
    parse_settings,
    places,
    print_json,
    print_notes,
    workspace,
)

EXAMPLES = examples(
    "zslpipe train-head remse",
    "zslpipe train-head eszsl --dataset cub --semantics sentences --seeds 5 --rule folds=5",
    "zslpipe train-head remse --set epochs=10 --set learning_rate=0.001 --device cuda:1",
    "zslpipe train-head eszsl --set gamma=1,10,100 --set lambda_=1,10 --seeds 5 --jobs 2",
    "zslpipe train-head attention-net --mode tail --set tail_rate=0.003,0.01,0.03",
    "zslpipe train-head gnet --mode end-to-end --train-from layer4",
    "zslpipe train-head eszsl --semantics text",
    "zslpipe train-head gem --word-vectors glove.6B.300d.txt",
    "zslpipe train-head prompt --semantics prompts",
    "zslpipe train-head eszsl --examples photos-of-unseen-classes",
    "zslpipe train-head my-head --plugin my_head.py",
)


@click.command("train-head", epilog=EXAMPLES)
@click.argument("head")
@click.option("--store", help="Name, folder or URL of a store.", show_default="the newest")
@click.option("--dataset", help="Use the newest store of this dataset.")
@click.option("--backbone", help="Use the newest store of this backbone.")
@click.option(
    "--semantics",
    help="att, original_att, sentences, text[:TABLE], words:FILE, prompts[:TEMPLATES], a plugin's, or a .mat, .npy or "
    ".csv FILE.",
    show_default="att",
)
@click.option(
    "--word-vectors", type=PATH, help="GloVe or word2vec file for the attributes' names, for heads that attend by them."
)
@click.option("--examples", type=PATH, help="Folder with a subfolder of photos for some of the unseen classes.")
@click.option("--refit", is_flag=True, help="Train on the examples as well, instead of moving the scores by them.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE[,VALUE...]",
    help="Fix a hyper-parameter of the head; given several values, selection tries them all.",
)
@click.option(
    "--selection", default="unseen-class", show_default=True, help="unseen-class, seen, or oracle (uses the test set)."
)
@click.option(
    "--rule",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option of the selection rule: folds, holdout, transfer or criterion.",
)
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="Number of seeds to train.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that share the seeds, or the folds of one seed; the numbers are those of one job.",
)
@click.option(
    "--mode",
    type=click.Choice(["cached", "tail", "end-to-end"]),
    help="Also train the backbone's last stage from the stored tap trunk, or its last layers from images.",
    show_default="cached",
)
@click.option("--train-from", metavar="LAYER", help="First layer to train end to end.", show_default="the last stage")
@click.option("--device", help="auto, cpu, cuda or cuda:N, for heads trained by gradient.", show_default="auto")
@places
@as_json
def command(
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
    settings: tuple[str, ...],
    rule: tuple[str, ...],
    seeds: int,
    mode: str | None,
    train_from: str | None,
    device: str | None,
    **options: Any,
) -> None:
    """Train a head on stored features.

    Hyper-parameters, epochs and δ are chosen on validation classes; the head is then refitted on all training images.
    HEAD is a name that `zslpipe heads` lists; `zslpipe heads HEAD` lists its settings.
    """
    from zslpipe.workflows.train import settings_of_options, train_from_cache

    keep_freed_memory()
    named = settings_of_options(options["head"], mode=mode, train_from=train_from, device=device)
    fixed, grid = parse_grid((*settings, *(f"{key}={value}" for key, value in named.items())))
    run, notes = train_from_cache(
        workspace(data_root, cache),
        settings=fixed,
        grid=grid,
        selection_options=parse_settings(rule),
        seeds=range(seeds),
        **options,
    )
    print_notes(run.about["notes"])
    choices = {seed: run.choice(seed) for seed in run.seeds}
    if json_:
        told = {seed: run.notes(seed) for seed in run.seeds}
        print_json({"run": str(run.path), "choices": {s: c.to_json() for s, c in choices.items()}, "notes": told})
        return
    for note in notes:
        click.echo(note)
    click.echo(f"run      {run.path}")
    for seed, choice in choices.items():
        chosen = ", ".join(f"{key}={value}" for key, value in choice.params.items()) or "the defaults"
        validated = ", ".join(f"{key} {value:.3f}" for key, value in choice.metrics.items())
        click.echo(f"seed {seed}   {chosen} ({choice.rule}, best of {len(choice.trials)}: {validated})")
        if choice.about_delta:
            click.echo(f"         {choice.about_delta}")
        for note in run.notes(seed):
            click.echo(f"         {note}")
