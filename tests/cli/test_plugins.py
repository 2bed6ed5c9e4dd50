"""--plugin: a head in a user's own file works with every command, and only if it is named."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from zslpipe.cli import main
from zslpipe.errors import InputError
from zslpipe.plugins import load_plugin, loaded_plugins
from zslpipe.store.catalog import newest_store
from zslpipe.workflows.runs import Run
from zslpipe.workflows.train import train_head
from zslpipe.workflows.workspace import Workspace

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_head.py"


def zslpipe(*line: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, where no plugin is loaded yet."""
    return subprocess.run([sys.executable, "-m", "zslpipe", *line], env=os.environ, capture_output=True, text=True)


def test_the_example_is_a_head_where_it_is_named_and_nowhere_else(with_store: Path) -> None:
    shutil.copy(EXAMPLE, with_store / "my_head.py")
    plugin = ("--plugin", "my_head.py")
    trained = zslpipe("train-head", "nearest-prototype", *plugin, "--json")
    assert trained.returncode == 0, trained.stderr
    result = json.loads(trained.stdout)
    assert result["choices"]["0"]["params"]["ridge"] in [0.1, 1.0, 10.0, 100.0, 1000.0]
    about = json.loads((Path(result["run"]) / "run.json").read_text())
    assert about["plugins"] == ["my_head.py"]
    (row,) = json.loads(zslpipe("eval", "--gzsl", "--calibrate", "--json", *plugin).stdout)
    assert row["head"] == "nearest-prototype"
    assert 0 <= row["seeds"]["0"]["H"] <= 1
    without = zslpipe("eval", "--gzsl", "--calibrate")
    assert without.returncode == 2
    assert without.stderr.startswith("zslpipe: unknown head 'nearest-prototype'")
    name = Path(result["run"]).name
    assert without.stderr.endswith(f"Run {name} was trained with --plugin my_head.py: give that here too.\n")
    assert zslpipe("train-head", "nearest-prototype").returncode == 2


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder to write plugins to; what they register is forgotten at the end."""
    from zslpipe import plugins
    from zslpipe.heads import HEADS

    monkeypatch.setattr(HEADS, "_things", dict(HEADS._things))
    monkeypatch.setattr(plugins, "_loaded", [])
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith(("zsl_", "zslpipe_plugin_"))]:
        del sys.modules[name]


def test_the_example_describes_itself(loaded: Path) -> None:
    done = CliRunner().invoke(main, ["heads", "nearest-prototype", "--plugin", str(EXAMPLE), "--json"])
    assert done.exit_code == 0, done.output
    about = json.loads(done.stdout)
    assert about["settings"] == [
        {
            "name": "ridge",
            "type": "float > 0",
            "default": 1.0,
            "meaning": "weight of the penalty on W.",
            "tried": [0.1, 1.0, 10.0, 100.0, 1000.0],
        }
    ]
    assert about["required_taps"] == ["global"]
    refused = CliRunner().invoke(
        main, ["train-head", "nearest-prototype", "--plugin", str(EXAMPLE), "--set", "ridge=-1", "--cache", "nowhere"]
    )
    assert refused.exit_code == 2


def test_a_file_beside_another_and_a_module_by_its_name(loaded: Path) -> None:
    (loaded / "zsl_neighbour.py").write_text(EXAMPLE.read_text())
    (loaded / "my_plugin.py").write_text("from zsl_neighbour import NearestPrototype\n")
    assert load_plugin(loaded / "my_plugin.py").NearestPrototype.name == "nearest-prototype"
    assert load_plugin("zsl_neighbour").__name__ == "zsl_neighbour"
    assert loaded_plugins() == [str(loaded / "my_plugin.py"), "zsl_neighbour"]


def test_a_file_can_be_loaded_again(loaded: Path) -> None:
    from zslpipe.heads import HEADS

    for ridge in ("1.0", "2.0"):  # as in a notebook, after a change
        (loaded / "my_head.py").write_text(
            EXAMPLE.read_text().replace("ridge: Positive = 1.0", f"ridge: Positive = {ridge}")
        )
        load_plugin("my_head.py")
        assert HEADS["nearest-prototype"]().get_params() == {"ridge": float(ridge)}
    assert loaded_plugins() == ["my_head.py"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("gone.py", None, r"there is no plugin file gone\.py: give the path of a \.py file or the name of a module"),
        ("folder/gone", None, "there is no plugin file folder/gone"),
        ("zsl_gone", None, "there is no module 'zsl_gone' to import as a plugin: install it, or give the path"),
        (
            "a.py",
            "\nimport zsl_gone\n",
            r"the plugin a\.py cannot be imported \(.*a\.py line 2: ModuleNotFoundError: No mod",
        ),
        (
            "zsl_a",
            "\nimport zsl_gone\n",
            r"the plugin zsl_a cannot be imported \(.*zsl_a\.py line 2: ModuleNotFoundErr",
        ),
        ("b.py", "def f(:\n", r"the plugin b\.py cannot be imported \(.*b\.py line 1: SyntaxError: invalid syntax\)"),
        ("c.py", "raise SystemExit(3)", r"c\.py line 1: SystemExit: 3"),
        (
            "d.py",
            "from zslpipe.heads import HEADS\n\n\n@HEADS.register('remse')\nclass Mine: ...\n",
            r"d\.py line 4: InputError: the head 'remse' is already registered by zslpipe\.heads\.remse\.ReMSE",
        ),
    ],
)
def test_what_cannot_be_imported(loaded: Path, name: str, content: str | None, sentence: str) -> None:
    if content is not None:
        (loaded / f"{name.removesuffix('.py')}.py").write_text(content)
    with pytest.raises(InputError, match=sentence) as told:
        load_plugin(name)
    assert "\n" not in str(told.value)
    assert loaded_plugins() == []


def test_a_plugin_that_registers_nothing_is_noted(loaded: Path) -> None:
    (loaded / "empty.py").write_text("x = 1\n")
    done = CliRunner().invoke(main, ["cache", "ls", "--cache", "cache", "--plugin", "empty.py"])
    assert done.exit_code == 0
    assert done.stderr == "note: the plugin empty.py registers nothing: no head, semantics or backbone.\n"


def test_every_command_that_does_work_takes_plugins() -> None:
    import click

    from zslpipe.cli import VERBS

    for verb in VERBS:
        command = main.get_command(click.Context(main), verb)
        for one in command.commands.values() if isinstance(command, click.Group) else [command]:
            assert one is not None
            assert "--plugin" in {option for parameter in one.params for option in parameter.opts}, one.name


def test_a_run_is_reused_until_its_plugin_is_edited(with_store: Path, loaded: Path) -> None:
    workspace = Workspace(with_store, with_store / "cache")
    shutil.copy(EXAMPLE, "my_head.py")

    def train() -> tuple[Run, bool]:
        load_plugin("my_head.py")
        return train_head(workspace, "nearest-prototype", newest_store(workspace.cache), reuse=True)

    first, found = train()
    assert not found
    assert train() == (first, True)
    with Path("my_head.py").open("a") as plugin:
        plugin.write("# edited\n")
    _, found = train()
    assert not found
