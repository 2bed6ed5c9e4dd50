"""Zero-shot learning from cached features: extract once, train heads in seconds, report numbers that hold.

The names below are loaded when they are first used, so importing zslpipe is quick; docs/library.md shows each at work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zslpipe.api import create_head as create_head
    from zslpipe.api import extract_features as extract_features
    from zslpipe.api import list_heads as list_heads
    from zslpipe.api import open_store as open_store
    from zslpipe.api import select as select
    from zslpipe.api import train as train
    from zslpipe.data.arrays import make_benchmark as make_benchmark
    from zslpipe.data.benchmark import Benchmark as Benchmark
    from zslpipe.data.load import load_benchmark as load_benchmark
    from zslpipe.errors import InputError as InputError
    from zslpipe.errors import ZslpipeError as ZslpipeError
    from zslpipe.evaluation.protocol import evaluate as evaluate
    from zslpipe.parts.head import Head as Head
    from zslpipe.parts.head import register as register_head  # noqa: F401
    from zslpipe.parts.problem import Attributes as Attributes
    from zslpipe.parts.problem import Classes as Classes
    from zslpipe.parts.saved_head import load_head as load_head
    from zslpipe.progress import show_progress as show_progress
    from zslpipe.selection import fit as fit
    from zslpipe.serving.estimator import ClassDisjointKFold as ClassDisjointKFold
    from zslpipe.serving.estimator import ZeroShotClassifier as ZeroShotClassifier
    from zslpipe.workflows.predict import load as load

__version__ = "0.1.0"

_PUBLIC = {
    "Attributes": "zslpipe.parts.problem:Attributes",
    "Benchmark": "zslpipe.data.benchmark:Benchmark",
    "ClassDisjointKFold": "zslpipe.serving.estimator:ClassDisjointKFold",
    "Classes": "zslpipe.parts.problem:Classes",
    "Head": "zslpipe.parts.head:Head",
    "InputError": "zslpipe.errors:InputError",
    "ZeroShotClassifier": "zslpipe.serving.estimator:ZeroShotClassifier",
    "ZslpipeError": "zslpipe.errors:ZslpipeError",
    "create_head": "zslpipe.api:create_head",
    "evaluate": "zslpipe.evaluation.protocol:evaluate",
    "extract_features": "zslpipe.api:extract_features",
    "fit": "zslpipe.selection:fit",
    "list_heads": "zslpipe.api:list_heads",
    "load": "zslpipe.workflows.predict:load",
    "load_benchmark": "zslpipe.data.load:load_benchmark",
    "load_head": "zslpipe.parts.saved_head:load_head",
    "make_benchmark": "zslpipe.data.arrays:make_benchmark",
    "open_store": "zslpipe.api:open_store",
    "register_head": "zslpipe.parts.head:register",
    "select": "zslpipe.api:select",
    "show_progress": "zslpipe.progress:show_progress",
    "train": "zslpipe.api:train",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'zslpipe' has no attribute '{name}'")
    module, _, attribute = _PUBLIC[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
