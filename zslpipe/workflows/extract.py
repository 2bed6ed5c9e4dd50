"""`zslpipe extract`: run a backbone over images into a store."""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from zslpipe.backbones import TAPS, Backbone, load_backbone, weights_source
from zslpipe.data.benchmark import Benchmark
from zslpipe.data.check import NO_ATTRIBUTES
from zslpipe.data.known import describe_missing_images
from zslpipe.data.load import load_benchmark
from zslpipe.errors import InputError
from zslpipe.extract.decode import decoder_version
from zslpipe.extract.imagelist import hash_images
from zslpipe.extract.on_ray import extract_on_ray
from zslpipe.extract.pipeline import ExtractionSummary
from zslpipe.extract.plan import Plan, Worker
from zslpipe.extract.shard import own_device, parse_shard, torchrun_ranks
from zslpipe.plugins import loaded_plugins
from zslpipe.spread import require_backend
from zslpipe.store.bucket import is_url
from zslpipe.store.catalog import newest_store, store_path
from zslpipe.store.derived import versions_header
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.layout import TapSpec, good_piece_rows
from zslpipe.store.pieces import MISSING
from zslpipe.store.provenance import fingerprint
from zslpipe.store.remote import RemoteStore
from zslpipe.store.version import Version
from zslpipe.workflows.find import lasting
from zslpipe.workflows.fine_tuned import FineTuned, Source, Versions, version_name, with_tuned
from zslpipe.workflows.leftovers import alone
from zslpipe.workflows.versions import versions
from zslpipe.workflows.workspace import Workspace

HASHES = "image-hashes.npz"
SLOW_BATCHES = 2  # in a piece, on a CPU: what an interruption loses is then some seconds of work


@dataclass(frozen=True)
class Extraction:
    """The result of an extraction: the store, and how many rows were computed and reused."""

    store: FeatureStore
    summary: ExtractionSummary
    reused: int
    notes: tuple[str, ...] = ()

    @property
    def computed(self) -> int:
        return self.summary.images

    @property
    def missing(self) -> int:
        """Rows of other shards that are not in the store yet."""
        return int((self.store.status == MISSING).sum())

    def as_json(self) -> dict[str, Any]:
        store = self.store
        return {
            "store": store.location if isinstance(store, RemoteStore) else str(store.path),
            "fingerprint": store.fingerprint,
            "taps": {tap: [len(store), *spec.shape] for tap, spec in store.taps.items()},
            "computed": self.computed,
            "reused": self.reused,
            "missing": self.missing,
            "failed": {f.path: f.error for f in store.failures.values()},
            "seconds": round(self.summary.seconds, 1),
            "images_per_second": round(self.summary.rate, 1),
            "slowest_stage": self.summary.limit,
            "notes": list(self.notes),
        }


def extract_store(
    workspace: Workspace,
    dataset: str | None = None,
    backbone: str | None = None,
    *,
    class_table: Path | None = None,
    weights: str = "timm",
    seed: int | None = None,
    folds: bool = False,
    taps: tuple[str, ...] = ("global", "region"),
    image_size: int | tuple[int, int] | None = None,
    precision: str = "float32",
    dtype: str = "float16",
    device: str = "auto",
    batch_size: int = 32,
    workers: int | None = None,
    on_error: str = "fail",
    shard: str | None = None,
    compile: bool = False,
    to: str | None = None,
    on: Literal["ray"] | None = None,
    actors: int | None = None,
) -> Extraction:
    """Run `backbone` over the images of `dataset` and store its taps; resumes where an earlier call stopped.

    If `weights` names a run that has fine-tuned its backbone, that of its `seed` (None for the first) is used, and
    backbone, image size and dataset are those of the run. The store records whose labels the backbone saw; with `folds`
    it also has the features of backbones that were fine-tuned inside the run's validation folds, without which no
    setting can be selected on it.

    `to`: the URL of a folder in an object store (s3://bucket/stores) for the store, instead of the cache.

    `on` "ray": `actors` of the cluster of RAY_ADDRESS, or of a local one, extract the missing pieces, each with
    `workers` CPUs. Images, weights and cache must be there under the same paths.

    Raises:
        InputError: if dataset, images, backbone or weights are missing or invalid.
    """
    if on is not None:
        require_backend(on)
    if to is not None and not is_url(to):
        raise InputError(f"'{to}' is not the URL of a folder in an object store, such as s3://bucket/stores.")
    given = Source(dataset, backbone, weights, class_table, image_size)
    (dataset, backbone, weights, class_table, image_size), several = with_tuned(workspace, given, seed, folds)
    dataset, backbone, notes = _defaults(workspace, dataset, backbone)

    how = {"image_size": image_size, "precision": precision, "compile": compile}
    network = partial(_network, backbone, weights, several, taps, how)
    device = own_device(device)
    net = network(device) if dataset == "demo" else None  # its images are drawn only if they can be used
    benchmark, image_root = _with_images(workspace, dataset, class_table, partly=on_error == "skip")
    net = net or network(device)  # before the images are hashed, which takes longer
    with alone(workspace.cache / "images" / HASHES):  # of several ranks one reads the images
        images, _ = hash_images(image_root, benchmark.image_ids, workspace.cache / HASHES)
    request = {
        "dataset": lasting(dataset),
        "class_table": class_table and str(class_table.resolve()),
        "backbone": backbone,
        "weights": lasting(weights),
        "taps": [tap for tap in net.taps if tap in taps],
        "image_size": image_size,
        "precision": precision,
        "dtype": dtype,
        "batch_size": batch_size,
        "on_error": on_error,
        **({"compile": True} if compile else {}),
        **({"folds": True} if folds else {}),
    }
    seen = _labels_seen(several, net, benchmark)
    store = _open_store(workspace, to, benchmark, net, images, request, seen)
    if store.redescribe(benchmark):
        notes.append("The class table has changed: the store now has the new one, its features are kept.")
    reused = int((store.status != MISSING).sum())
    options = {"batch_size": batch_size, "workers": workers, "on_error": on_error, "dtype": dtype}
    plan = Plan(
        store.location,
        workspace.mirrors.absolute(),
        image_root,
        network,
        device,
        options,
        tuple(loaded_plugins()),
    )
    with kept_on_interrupt(store):
        worker = Worker(plan, net, store)
        ranks = torchrun_ranks() if shard is None else None
        if on == "ray":
            summary = extract_on_ray(plan, store, actors, workers or 1)
        elif ranks:
            summary = worker.together(*ranks)
        else:
            summary = worker.all_of(store.missing_pieces(parse_shard(shard)))
    return Extraction(store, summary, reused, (*notes, *benchmark.notes))


@contextmanager
def kept_on_interrupt(store: FeatureStore) -> Iterator[None]:
    """Add to an interruption what is kept and how to go on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        store.refresh()
        kept = int((store.status != MISSING).sum())
        stop.add_note(f"{kept} of {len(store)} images are kept in {store.path}; the same command continues from there.")
        raise


def _defaults(workspace: Workspace, dataset: str | None, backbone: str | None) -> tuple[str, str, list[str]]:
    """Defaults if none is given: the dataset of the newest store and ResNet101, with notes that say so."""
    notes = []
    if dataset is None:
        newest = newest_store(workspace.cache)
        dataset = str(newest.provenance["recorded"].get("request", {}).get("dataset", newest.dataset))
        notes.append(f"dataset {dataset} (that of the newest store, {newest.path.name})")
    if backbone is None:
        backbone = "resnet101"
        notes.append(f"backbone {backbone} (the default)")
    return dataset, backbone, notes


def _with_images(workspace: Workspace, dataset: str, class_table: Path | None, partly: bool) -> tuple[Benchmark, Path]:
    """The benchmark and the folder of its images.

    Raises:
        InputError: if images are missing; with `partly`, only if there are none.
    """
    benchmark = load_benchmark(dataset, workspace.data_root, tables=class_table, cache=workspace.cache)
    if not benchmark.semantics.shape[1]:
        warnings.warn(f"{benchmark.name}: no head can be trained yet, since {NO_ATTRIBUTES}", stacklevel=3)
    gone = describe_missing_images(benchmark, workspace.data_root)
    if benchmark.image_root is None or (gone and not partly):
        raise InputError(gone or f"{benchmark.name} has no images.")
    return benchmark, benchmark.image_root


def _network(
    backbone: str,
    weights: str,
    several: Sequence[FineTuned],
    taps: Sequence[str],
    how: Mapping[str, Any],
    device: str,
) -> Backbone:
    """The network, or those of several fine-tuned backbones as one: they share the trunk of the first unless it was
    trained.
    """
    own = [tap for tap in taps if tap != "trunk"]
    nets = [
        load_backbone(
            backbone, one.weights, taps=taps if not i or one.about["trunk_trained"] else own, device=device, **how
        )
        for i, one in enumerate(several)
    ] or [load_backbone(backbone, weights, taps=taps, device=device, **how)]
    return Versions(nets) if len(nets) > 1 else nets[0]


def _labels_seen(several: Sequence[FineTuned], net: Backbone, benchmark: Benchmark) -> list[Version]:
    """The versions of the taps that depend on labels: all but a trunk that was not trained."""
    return [
        one.version(name, tap, benchmark)
        for number, one in enumerate(several)
        for tap in TAPS
        if (name := version_name(tap, number)) in net.taps and (tap != "trunk" or one.about["trunk_trained"])
    ]


def _open_store(
    workspace: Workspace,
    to: str | None,
    benchmark: Benchmark,
    net: Backbone,
    images: str,
    request: Mapping[str, Any],
    seen: Sequence[Version],
) -> FeatureStore:
    """The store of this content, new or resumed. `request` is recorded: it is enough to extract lost pieces again."""
    backbone, dtype = request["backbone"], request["dtype"]
    provenance = {
        "fingerprinted": {
            "backbone": backbone,
            **net.describe(),
            "dataset": benchmark.name,
            "decoder": decoder_version(),
            "dtype": dtype,
            "images": images,
            **({"derived": {"versions": versions_header(seen)}} if seen else {}),
        },
        "recorded": {
            "request": request,
            "versions": versions(),
            "weights": weights_source(backbone, request["weights"]),
        },
    }
    most_rows = SLOW_BATCHES * request["batch_size"] if net.device.type == "cpu" else None
    row_bytes = sum(math.prod(shape) for shape in net.taps.values()) * (2 if dtype == "float16" else 4)
    path = store_path(workspace.cache, benchmark.name, backbone, fingerprint(provenance))
    taps = {tap: TapSpec(shape, dtype, net.grids.get(tap)) for tap, shape in net.taps.items()}
    piece_rows = good_piece_rows(len(benchmark.labels), row_bytes, most_rows=most_rows)
    if to is not None:
        place = f"{to.rstrip('/')}/{path.name}"
        return RemoteStore.at_or_create(place, workspace.mirrors, benchmark, taps, provenance, piece_rows)
    return FeatureStore.open_or_create(path, benchmark, taps, provenance, piece_rows)
