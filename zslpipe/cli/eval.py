"""zslpipe eval"""

from pathlib import Path

import click

from zslpipe.cli.options import as_json, examples, places, print_json, print_notes, workspace

EXAMPLES = examples(
    "zslpipe eval --gzsl --calibrate",
    "zslpipe eval sun-remse-20260101-120000 sun-eszsl-20260101-110000 --gzsl --calibrate --json",
    "zslpipe eval --gzsl --calibrate --selection oracle",
    "zslpipe eval --gzsl --calibrate --format latex > table.tex",
)


@click.command("eval", epilog=EXAMPLES)
@click.argument("runs", nargs=-1)
@click.option("--gzsl", is_flag=True, help="Generalised zero-shot learning: U, S, H and AUSUC beside T1.")
@click.option("--calibrate", is_flag=True, help="Subtract the δ chosen by validation from the scores of seen classes.")
@click.option(
    "--selection",
    type=click.Choice(["validated", "oracle"]),
    default="validated",
    show_default=True,
    help="How δ is chosen; oracle chooses it on the test images.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "csv", "latex", "markdown"]),
    default="text",
    show_default=True,
    help="Format of the table; csv also has the standard deviations over seeds.",
)
@places
@as_json
def command(
    runs: tuple[str, ...],
    gzsl: bool,
    calibrate: bool,
    selection: str,
    format_: str,
    data_root: Path | None,
    cache: Path | None,
    json_: bool,
) -> None:
    """Evaluate runs on their test sets.

    Without a name: the newest run. `zslpipe cache ls` lists the names of runs.
    """
    from zslpipe.evaluation.table_formats import FORMATS
    from zslpipe.workflows.evaluate import evaluate_runs, table, table_rows

    if json_ and format_ != "text":
        raise click.UsageError("--json and --format exclude each other.")
    done = evaluate_runs(workspace(data_root, cache), runs, gzsl=gzsl, calibrate=calibrate, selection=selection)
    print_notes(f"run {e.run.name}: {note}" for e in done for note in e.run.about.get("notes", ()))
    if json_:
        print_json([evaluation.as_json() for evaluation in done])
    else:
        click.echo(table(done) if format_ == "text" else FORMATS[format_](table_rows(done)))
