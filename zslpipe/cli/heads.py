"""zslpipe heads"""

from itertools import groupby
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from zslpipe.cli.options import as_json, examples, plugins, print_json, print_pairs

if TYPE_CHECKING:
    from zslpipe.workflows.heads import HeadDescription, Setting

EXAMPLES = examples(
    "zslpipe heads",
    "zslpipe heads remse",
    "zslpipe heads my-head --plugin my_head.py",
    "zslpipe train-head remse --set epochs=10 --set loss=sce",
)
WIDTH = 100


@click.command("heads", epilog=EXAMPLES)
@click.argument("name", required=False)
@plugins
@as_json
def command(name: str | None, json_: bool) -> None:
    """List the heads, or describe one.

    The description names the paper, the features that the head needs, its settings, and what selection tries.
    """
    from zslpipe.workflows.heads import describe_head, list_heads

    if name is None:
        heads = list_heads()
        if json_:
            print_json([{"name": head, "summary": line} for head, line in heads.items()])
        else:
            print_pairs(heads)
        return
    about = describe_head(name)
    if json_:
        print_json(about.as_json())
    else:
        _print_head(about)


def _print_head(about: "HeadDescription") -> None:
    click.echo(about.name)
    for text in filter(None, (about.paper, about.text)):
        click.echo(f"\n{text}")
    reads = (f"{', '.join(taps)} of a store with {stored}" for stored, taps in about.reads.items() if taps)
    epochs = ", and the number of epochs" if about.chooses_epochs else ""
    click.echo()
    print_pairs(
        {
            "required taps": ", ".join(about.required_taps) or "none",
            "optional taps": ", ".join(about.optional_taps) or "none",
            "reads": "; ".join(reads),
            "word vectors": about.word_vectors,
            "selection": f"{about.candidates} setting{'s' * (about.candidates > 1)}{epochs}",
        }
    )
    click.echo("\nsettings")
    for meaning, group in groupby(about.settings, key=lambda setting: setting.meaning):
        for setting in group:
            _print_setting(setting)
        if meaning:  # one text may describe several settings
            click.echo(fill(meaning, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8))


def _print_setting(setting: "Setting") -> None:
    tried = f"   tried: {', '.join(map(_plain, setting.tried))}" if setting.tried else ""
    click.echo(f"  {setting.name:24s} {_plain(setting.default):12s} {setting.type}{tried}")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
