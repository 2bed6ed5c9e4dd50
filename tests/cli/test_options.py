"""What several commands share: pairs of settings, and JSON with a schema number."""

import json

import click
import pytest
from click.testing import CliRunner

from zslpipe.cli import VERBS, main
from zslpipe.cli.options import SCHEMA, parse_grid, parse_settings, print_json
from zslpipe.errors import InputError
from zslpipe.workflows.train import settings_of_options


def test_values_are_json_or_text() -> None:
    pairs = ("gamma=1e-3", "loss=sce+remse", "fused=true", "none=null", "empty=")
    assert parse_settings(pairs) == {"gamma": 1e-3, "loss": "sce+remse", "fused": True, "none": None, "empty": ""}


def test_several_values_are_a_grid() -> None:
    settings, grid = parse_grid(("gamma=1,10, 100", "loss=sce,remse", "rate=0.1", "sizes=[1,2]", 'text="a,b"'))
    assert settings == {"rate": 0.1, "sizes": [1, 2], "text": "a,b"}
    assert grid == {"gamma": [1, 10, 100], "loss": ["sce", "remse"]}


def test_a_repeated_key_is_refused() -> None:
    for parse in (parse_settings, parse_grid):
        with pytest.raises(InputError, match="gamma is given twice, as 1 and as 2"):
            parse(("gamma=1", "lambda_=1", "gamma=2"))


@pytest.mark.parametrize("pair", ["gamma", "=1", ""])
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(InputError, match="is not KEY=VALUE"):
        parse_settings((pair,))


def test_options_that_are_settings_of_other_heads() -> None:
    assert settings_of_options("eszsl", device="cpu", mode="cached", train_from=None) == {}
    assert settings_of_options("remse", device="cuda:1", mode="tail") == {"device": "cuda:1", "mode": "tail"}
    with pytest.raises(InputError, match=r"eszsl takes no --device: leave it out, or train a head that does \(apn, "):
        settings_of_options("eszsl", device="cuda")
    with pytest.raises(InputError, match="f-clswgan takes no --train-from"):
        settings_of_options("f-clswgan", train_from="layer4")


def test_every_result_in_json_has_the_schema_number(capsys: pytest.CaptureFixture) -> None:
    print_json({"a": 1})
    assert json.loads(capsys.readouterr().out) == {"schema": SCHEMA, "a": 1}
    print_json([{"a": 1}, {"a": 2}])
    assert json.loads(capsys.readouterr().out) == [{"schema": SCHEMA, "a": 1}, {"schema": SCHEMA, "a": 2}]
    with pytest.raises(TypeError):
        print_json(["a", "b"])  # type: ignore[list-item]  # nowhere to put it


def test_commands_print_json_by_that_function_only() -> None:
    """A command with --json is in a module that calls `print_json`, and none writes JSON by itself."""
    import inspect

    for verb in VERBS:
        command = main.get_command(click.Context(main), verb)
        assert command is not None
        group = command.commands.values() if isinstance(command, click.Group) else [command]
        for each in group:
            source = inspect.getsource(inspect.unwrap(each.callback))  # type: ignore[arg-type]
            asked = any("--json" in p.opts for p in each.params)
            assert asked == ("print_json" in source), each.name
            assert "json.dumps" not in source


@pytest.mark.parametrize("line", [["heads"], ["heads", "remse"], ["backbones", "resnet18"], ["recipes"]], ids=" ".join)
def test_lists_and_objects_of_commands(line: list[str]) -> None:
    told = json.loads(CliRunner().invoke(main, [*line, "--json"]).stdout)
    for item in told if isinstance(told, list) else [told]:
        assert item["schema"] == SCHEMA
