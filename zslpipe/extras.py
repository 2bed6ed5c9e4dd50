"""Optional libraries: an absent one is asked for in a sentence with the line that installs it."""

from importlib import import_module
from types import ModuleType

from zslpipe.errors import InputError


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a library of an extra of zslpipe.

    Args:
        module: its name.
        extra: the extra that it belongs to.
        purpose: what it is for, as the start of a sentence.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as problem:
        missing = (problem.name or module).split(".")[0]
        raise InputError(f"{purpose} needs {missing}: pip install 'zslpipe[{extra}]'.") from problem
