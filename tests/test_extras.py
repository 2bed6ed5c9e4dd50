"""Extras stay extras: the package imports without them, and an absent one is asked for."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zslpipe.errors import InputError
from zslpipe.extras import need

ROOT = Path(__file__).parents[1]
# Modules by the extra that they belong to; huggingface_hub is not among them, since timm needs it.
BLOCKED = {
    "xlsx": ["openpyxl"],
    "onnx": ["onnx", "onnxscript", "onnxruntime"],
    "serve": ["fastapi", "starlette", "pydantic", "uvicorn", "python_multipart", "fastapi_offline"],
    "text": ["sentence_transformers", "transformers", "tokenizers"],
    "clip": ["open_clip"],
    "browser": ["selenium"],
    "dask": ["distributed", "dask"],
    "ray": ["ray"],
}
SCRIPT = """
import importlib, pkgutil, sys
for name in {blocked!r}:
    sys.modules[name] = None
import zslpipe
for module in pkgutil.walk_packages(zslpipe.__path__, "zslpipe."):
    if not module.name.startswith(("zslpipe.__main__", *{own!r})):
        importlib.import_module(module.name)
"""
OWN = ("zslpipe.serving.web.app", "zslpipe.serving.web.limits")  # imported by zslpipe serve once its extra was found


def test_all_modules_import_without_extras() -> None:
    blocked = sorted(name for names in BLOCKED.values() for name in names)
    script = SCRIPT.format(blocked=blocked, own=OWN)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_blocked_are_extras() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(BLOCKED) <= set(extras)


def test_an_absent_library_is_asked_for_with_the_line_that_installs_it() -> None:
    with pytest.raises(InputError) as problem:
        need("no_such_library.part", "serve", "zslpipe serve")
    assert str(problem.value) == "zslpipe serve needs no_such_library: pip install 'zslpipe[serve]'."
