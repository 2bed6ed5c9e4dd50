"""zslpipe backbones"""

import click

from zslpipe.cli.options import as_json, examples, plugins, print_json

EXAMPLES = examples(
    "zslpipe backbones resnet101",
    "zslpipe backbones 'vit_base_patch16_*'",
    "zslpipe extract --backbone resnet101 --dataset cub",
)


@click.command("backbones", epilog=EXAMPLES)
@click.argument("pattern", required=False)
@plugins
@as_json
def command(pattern: str | None, json_: bool) -> None:
    """List the backbones that `extract` takes.

    PATTERN is part of a name, or a name with * and ?.
    """
    from zslpipe.workflows.backbones import matching_backbones

    names = matching_backbones(pattern)
    if json_:
        print_json([{"name": name} for name in names])
    else:
        click.echo("\n".join(names))
