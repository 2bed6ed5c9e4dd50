"""Heads, semantics and backbones in a user's own file or module. A plugin is imported only if the user names it."""

import importlib
import importlib.util
import inspect
import sys
import traceback
import warnings
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from zslpipe.errors import InputError
from zslpipe.files import sha256_file
from zslpipe.registry import Registry

_loaded: list[str] = []


def load_plugin(name: str | Path) -> ModuleType:
    """Import a Python file (`my_head.py`) or a module by its name; what it registers is known from then on.

    The folder of a file is appended to `sys.path`, so that the file can import its neighbours. A file that is loaded
    again replaces what it registered before.

    Raises:
        InputError: if there is no such file or module, or its import fails; the message names file and line.
    """
    import zslpipe.data.semantics
    import zslpipe.heads  # noqa: F401  (imported first: a name that is taken is then the plugin's error, not theirs)

    path = Path(name).expanduser()
    is_file = path.suffix == ".py" or path.is_file() or len(path.parts) > 1
    if is_file and not path.is_file():
        raise InputError(f"there is no plugin file {path}: give the path of a .py file or the name of a module.")
    known = not is_file and str(name) in sys.modules
    before = Registry.registrations
    try:
        module = _import_file(path.resolve()) if is_file else importlib.import_module(str(name))
    except (Exception, SystemExit) as problem:
        if not is_file and isinstance(problem, ModuleNotFoundError) and _names(problem, str(name)):
            message = f"there is no module '{name}' to import as a plugin: install it, or give the path of a .py file."
            raise InputError(message) from problem
        raise InputError(f"the plugin {name} cannot be imported ({_describe(problem, path)}).") from problem
    if Registry.registrations == before and not known:
        warnings.warn(f"the plugin {name} registers nothing: no head, semantics or backbone.", stacklevel=1)
    if str(name) not in _loaded:
        _loaded.append(str(name))
    return module


def loaded_plugins() -> list[str]:
    """The plugins of this process, as they were given."""
    return list(_loaded)


def source_outside(cls: type) -> dict[str, str]:
    """SHA-256 of the file that defines a class, if it is not part of this package."""
    source = inspect.getsourcefile(cls) if not cls.__module__.startswith("zslpipe.") else None
    return {"source": sha256_file(Path(source))} if source else {}


def _import_file(path: Path) -> ModuleType:
    name = f"zslpipe_plugin_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"  # files may share a name
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module  # dataclasses look their module up while they are defined
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _names(problem: ModuleNotFoundError, name: str) -> bool:
    """Whether the missing module is the one asked for (or a package around it) rather than one that it imports."""
    return problem.name is not None and f"{name}.".startswith(f"{problem.name}.")


def _describe(problem: BaseException, path: Path) -> str:
    """The error in one line, with the place in the plugin where it happened."""
    text = " ".join(str(problem).split())
    if isinstance(problem, SyntaxError):
        return f"{problem.filename} line {problem.lineno}: {type(problem).__name__}: {problem.msg}"
    ours = str(Path(__file__).parent)
    frames = [f for f in traceback.extract_tb(problem.__traceback__) if not f.filename.startswith((ours, "<frozen"))]
    frames = [f for f in frames if f.filename == str(path.resolve())] or frames
    place = f"{frames[-1].filename} line {frames[-1].lineno}: " if frames else ""
    return f"{place}{type(problem).__name__}: {text}"
