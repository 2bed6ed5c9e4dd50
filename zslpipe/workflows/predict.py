"""`zslpipe predict`: a run names images that it has never seen."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.data.scan import scan_images
from zslpipe.errors import InputError
from zslpipe.evaluation.protocol import seen_mask
from zslpipe.report.predictions import Card, Named, write_predictions
from zslpipe.serving.new_images import ImageFeatures
from zslpipe.serving.predictor import Candidate, ClassList, Prediction, Predictor
from zslpipe.workflows.class_words import encoder_of
from zslpipe.workflows.examples import NOTHING, shown
from zslpipe.workflows.find import origin_of_run, store_of_run
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.workspace import Workspace

NONE = "none of these"
COLUMNS = ("image", "rank", "class", "kind", "score", "probability", "known", "error")


def load(
    run: str | Path | None = None,
    *,
    seed: int | None = None,
    classes: str | Path | None = None,
    examples: str | Path | None = None,
    device: str = "auto",
    cache: str | Path | None = None,
) -> Predictor:
    """A trained run, ready to name images: `zslpipe.load(RUN).predict(["photo.jpg"])`.

    Args:
        run: its name or folder; None for the newest.
        seed: which of its seeds, None for the first.
        classes: CSV file of further classes, described by the same attributes; see `Predictor.with_classes`.
        examples: folder with a subfolder of photos for some of the unseen classes, which are taken into account.
        device: where the backbone runs: auto, cpu, cuda, cuda:1, ...
        cache: where stores and runs are; ZSLPIPE_CACHE or ./cache by default.

    Raises:
        InputError: if there is no such run, seed or store, or the table of classes is invalid.
    """
    workspace = Workspace.at(cache=None if cache is None else Path(cache))
    found = find_run(workspace.runs, None if run is None else str(run))
    predictor = predictor_of(workspace, found, seed, device)
    if classes is not None:
        predictor = predictor.with_classes(classes)
    if examples is not None:
        store = store_of_run(workspace, found)
        predictor = shown(predictor, found, store, seed_of(found, seed), Path(examples), refit=False, device=device)
    return predictor


def predictor_of(workspace: Workspace, run: Run, seed: int | None = None, device: str = "auto") -> Predictor:
    """The head of a seed (None for the first) with what it needs to name images; the backbone is not loaded yet."""
    seed = seed_of(run, seed)
    benchmark, choice, store = run.benchmark, run.choice(seed), origin_of_run(workspace, run)
    head = run.head_with_photos(seed)
    classes = ClassList(
        benchmark.class_names,
        benchmark.semantics,
        seen_mask(benchmark),
        np.zeros(len(benchmark.class_names), bool),
        benchmark.attribute_names,
    )
    taps = tuple(head.fitted_problem.stored)
    images = ImageFeatures(store.provenance, taps, device, str(store.path))
    encode = encoder_of(run.about["semantics"], store, benchmark.name)
    return Predictor(run.name, head, classes, choice.delta, choice.confidence, images, encode)


def seed_of(run: Run, seed: int | None) -> int:
    """The seed, by default the first.

    Raises:
        InputError: if the run does not have it.
    """
    seed = run.seeds[0] if seed is None else seed
    if seed not in run.seeds:
        raise InputError(f"run {run.name} has no seed {seed}: use {', '.join(map(str, run.seeds))}.")
    return seed


@dataclass(frozen=True)
class Predictions:
    """What `predict_images` found.

    Attributes:
        run: name of the run.
        images: in the order in which they were given.
        page: the gallery page, None if none was asked for.
        rate: images per second, from decoding to ranking.
        notes: sentences on what these predictions lack.
    """

    run: str
    images: tuple[Prediction, ...]
    page: Path | None
    rate: float
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Prediction, ...]:
        return tuple(one for one in self.images if one.error)

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "predictions": [one.as_json() for one in self.images],
            "images_per_second": round(self.rate, 1),
            "page": None if self.page is None else str(self.page),
            "notes": list(self.notes),
        }

    def as_csv(self) -> str:
        """One line per image and class, the best first."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in self.images:
            known = "" if one.known is None else "yes" if one.known else "no"
            for rank, c in enumerate(one.candidates, start=1):
                chance = "" if c.probability is None else c.probability
                writer.writerow([one.image, rank, c.name, c.kind, c.score, chance, known, ""])
            if one.error:
                writer.writerow([one.image, "", "", "", "", "", "", one.error])
        return text.getvalue()


def predict_images(
    workspace: Workspace,
    name: str | None,
    images: Sequence[str],
    *,
    seed: int | None = None,
    top: int = 3,
    classes: Path | None = None,
    examples: Path | None = None,
    refit: bool = False,
    reject: bool = False,
    page: Path | None = None,
    device: str = "auto",
    batch_size: int = 32,
    workers: int | None = None,
) -> Predictions:
    """Name images with a run.

    Args:
        workspace: where runs and stores are.
        name: of the run, None for the newest.
        images: image files and folders, which stand for all images in them.
        seed: which of the run's seeds, None for the first.
        top: number of classes to tell for each image.
        classes: CSV file of further classes, described by the same attributes.
        examples: folder with a subfolder of photos for some of the unseen classes; they replace those of the run.
        refit: fit the head again, with these photos among its training images.
        reject: whether images may be none of the classes; without it `known` is None.
        page: HTML file to write with the images and their classes.
        device, batch_size, workers: as for extraction.

    Raises:
        InputError: for an unknown run, a folder without images, new classes that cannot be used, or a run that cannot
            name new images or cannot reject.
    """
    run = find_run(workspace.runs, name)
    predictor = predictor_of(workspace, run, seed, device)
    if classes is not None:
        predictor = predictor.with_classes(classes)
    if refit and examples is None:
        raise InputError(NOTHING)
    if examples is not None:
        store = store_of_run(workspace, run)
        predictor = shown(predictor, run, store, seed_of(run, seed), examples, refit=refit, device=device)
    if reject and predictor.confidence is None:
        raise InputError(f"run {run.name} has no threshold for '{NONE}': train it again with --selection unseen-class.")
    files = list(image_files(images))
    found = predictor.timed(files, top, batch_size=batch_size, workers=workers)
    told = tuple(one if reject else one.without_verdict() for one in found.predictions)
    if page is not None:
        write_predictions(page, f"Predictions of {run.name}", lead(told), [card(one) for one in told])
    notes: tuple[str, ...] = ()
    if predictor.confidence is None:
        notes = (f"run {run.name} has no temperature, so there are no probabilities: train it again to get them.",)
    return Predictions(run.name, told, page, found.rate, notes)


def lead(predictions: Sequence[Prediction]) -> str:
    """How many images there are, and of which kind their best classes are."""
    kinds = [one.candidates[0].kind for one in predictions if one.candidates]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("seen", "unseen", "new") if kind in kinds)
    return f"{len(predictions)} images; by the kind of the best class: {counts or 'none could be read'}."


def card(one: Prediction) -> Card:
    """What the page shows of one image."""
    return Card(Path(one.image), named(one.candidates), NONE if one.known is False else "", one.error)


def named(candidates: Sequence[Candidate]) -> tuple[Named, ...]:
    """Classes with bars of their probability; without one, of how their score lies between the shown ones."""
    scores = [one.score for one in candidates]
    low, span = min(scores, default=0.0), max(scores, default=0.0) - min(scores, default=0.0)

    def one_bar(one: Candidate) -> Named:
        share = one.probability
        if share is None:
            share = (one.score - low) / span if span else 1.0
        return Named(one.name, one.kind, one.text, share)

    return tuple(map(one_bar, candidates))


def image_files(given: Iterable[str]) -> Iterable[str]:
    """The images among files and folders; files are taken as they are, whether they can be read or not.

    Raises:
        InputError: if a folder has no images, or there is nothing at all.
    """
    count = 0
    for path in given:
        found = scan_images(Path(path)).images if Path(path).is_dir() else None
        if found is not None and not found:
            raise InputError(f"the folder {path} has no images.")
        for file in [path] if found is None else [str(Path(path) / image) for image in found]:
            count += 1
            yield file
    if not count:
        raise InputError("there are no images to name: give image files, folders, or - with one path per line.")
