"""What `import zslpipe` offers: short ways to stores, heads, selection and evaluation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslpipe.data.benchmark import Benchmark
from zslpipe.heads import HEADS, Head
from zslpipe.selection import SelectionResult, selection_rule
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.rows import Features

if TYPE_CHECKING:
    from zslpipe.workflows.runs import Run


def open_store(path: str | Path) -> FeatureStore:
    """Open a store of features: `.benchmark`, `.taps`, `.features()` and `.rows(tap)`.

    Raises:
        InputError: if the folder is not a store or its header is damaged.
    """
    return FeatureStore.open(Path(path))


def extract_features(
    dataset: str | Path,
    backbone: str = "resnet101",
    *,
    cache: str | Path = "cache",
    data_root: str | Path = "data",
    **options: Any,
) -> FeatureStore:
    """Run a backbone over the images of a dataset once; resumes if it was interrupted.

    Args:
        dataset: the name of a known dataset, or an image folder.
        backbone: a timm model or a registered backbone.
        cache: where stores are kept.
        data_root: where known datasets are.
        **options: as for `zslpipe.workflows.extract.extract_store`: weights, taps, image_size, precision, dtype,
            device, compile, batch_size, workers, on_error, shard, class_table.

    Raises:
        InputError: if dataset, images, backbone or weights are not available.
    """
    from zslpipe.workflows.extract import extract_store
    from zslpipe.workflows.workspace import Workspace

    workspace = Workspace.at(Path(data_root), Path(cache))
    return extract_store(workspace, str(dataset), backbone, **options).store


def train(head: str, store: FeatureStore, *, cache: str | Path = "cache", **options: Any) -> "Run":
    """Select, train and save a head on a store, as `zslpipe train-head` does; `zslpipe.load(run.path)` names images.

    Args:
        head: one of `list_heads()`.
        store: features with their benchmark.
        cache: where runs are kept.
        **options: as for `zslpipe.workflows.train.train_head`: settings, seeds, selection, semantics, reuse, jobs.

    Raises:
        InputError: for an unknown head, setting or rule, or a store without features.
    """
    from zslpipe.workflows.train import train_head
    from zslpipe.workflows.workspace import Workspace

    return train_head(Workspace.at(cache=Path(cache)), head, store, **options)[0]


def list_heads() -> list[str]:
    """The names of all heads, those of installed packages and loaded plugins included."""
    return list(HEADS)


def create_head(name: str, **settings: Any) -> Head:
    """An unfitted head.

    Args:
        name: one of `list_heads()`.
        **settings: hyper-parameters; `zslpipe heads NAME` lists them.

    Raises:
        InputError: for an unknown name or setting, or a value out of range.
    """
    return HEADS[name]().set_params(**settings)


def select(
    head: str | Head,
    features: Features,
    benchmark: Benchmark,
    rule: str = "unseen-class",
    *,
    candidates: Sequence[Mapping[str, Any]] | None = None,
    **options: Any,
) -> tuple[SelectionResult, Head]:
    """Choose settings, epochs and calibration without test data, then refit on all training images.

    Args:
        head: a head or its name.
        features: tap name to the rows of all images of the benchmark, such as `store.features()`.
        benchmark: what to train on.
        rule: "unseen-class" (class-disjoint folds), "seen", or "oracle", which uses the test set.
        candidates: settings to try; the head's own search space if None.
        **options: of the rule: criterion, seed, folds, holdout, transfer.

    Returns:
        what was chosen, with all trials and the calibration `delta`; and the fitted head.
    """
    chosen = create_head(head) if isinstance(head, str) else head
    return selection_rule(rule, options).select(chosen, features, benchmark, candidates)
