"""`zslpipe explain`: why a run names images as it does, as pictures or a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from zslpipe.backbones.transform import Transform
from zslpipe.data.benchmark import Benchmark
from zslpipe.drawing import write_png
from zslpipe.errors import InputError
from zslpipe.evaluation.imbalance import PredictsSemantics
from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.files import write_text
from zslpipe.progress import track
from zslpipe.registry import nearest, unknown
from zslpipe.serving.attribute_estimate import AttributeEstimate
from zslpipe.serving.contrast import without_photos
from zslpipe.serving.explain import Explanation, explain
from zslpipe.serving.explanation_page import Explained as Shown
from zslpipe.serving.explanation_page import explanations_page
from zslpipe.serving.explanation_picture import draw
from zslpipe.serving.predictor import Predictor
from zslpipe.store.failure import Failure
from zslpipe.store.feature_store import FeatureStore
from zslpipe.store.pieces import DONE
from zslpipe.store.rows import Features, take
from zslpipe.workflows.examples import shown as shown_photos
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.predict import predictor_of, seed_of
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.workspace import Workspace


@dataclass(frozen=True)
class Explained:
    """An explanation and the file with its picture: a PNG, or an HTML page that may show several."""

    explanation: Explanation
    picture: Path

    def as_json(self) -> dict[str, Any]:
        return {**self.explanation.as_json(), "picture": str(self.picture)}


@dataclass(frozen=True)
class _Subject:
    """An image to explain: its row in the store, None for a file that no store has."""

    name: str
    row: int | None


def explain_images(
    workspace: Workspace,
    name: str,
    images: Sequence[str],
    *,
    seed: int | None = None,
    others: int = 3,
    classes: Sequence[str] = (),
    more: Path | None = None,
    photos: Path | None = None,
    out: Path | None = None,
    device: str = "auto",
) -> list[Explained]:
    """Explain images, and write one PNG per image or one HTML page.

    Features of images of the run's dataset are read from its store; the backbone is loaded only for other images.

    Args:
        workspace: where runs and stores are.
        name: of the run.
        images: ids, file names or row numbers of images of the dataset, or files.
        seed: which of the run's seeds, None for the first.
        others: number of wrong classes whose maps are shown, those with the highest scores.
        classes: classes to show instead of those; the first that does not win is the rival.
        more: CSV file of further classes, described by the same attributes.
        photos: folder with a subfolder of photos for some of the unseen classes; they replace those of the run.
        out: folder for the pictures, a .png file for a single image, or an .html file; None for `RUN/explain`.
        device: where the backbone runs: auto, cpu, cuda, cuda:1, ...

    Raises:
        InputError: for an unknown run, class or image, or an image whose features or picture are missing.
    """
    run = find_run(workspace.runs, name)
    predictor, store = predictor_of(workspace, run, seed, device), store_of_run(workspace, run)
    if more is not None:
        predictor = predictor.with_classes(more)
    if photos is not None:
        predictor = shown_photos(predictor, run, store, seed_of(run, seed), photos, refit=False, device=device)
    names = predictor.classes.names
    for name in set(classes) - set(names):
        raise unknown("class", name, names)
    asked = [names.index(c) for c in classes]
    subjects = [_subject(image, run.benchmark, store) for image in images]
    single = out is not None and out.suffix.lower() == ".png"
    if single and len(subjects) > 1:
        raise InputError(f"{out} is one picture, but there are {len(subjects)} images: give a folder or an .html file.")
    attributes, shown = _estimate(predictor, run.benchmark, store), []
    for subject in track(subjects, "explaining"):
        features, picture = _opened(subject, run.benchmark, store, predictor)
        label = -1 if subject.row is None else int(run.benchmark.labels[subject.row])
        true = label if label >= 0 else None
        explanation = explain(predictor, features, subject.name, true, others, asked, attributes)
        grid = store.taps["region"].grid if "region" in store.taps else None
        shown.append(Shown(explanation, picture, grid))
    return _written(run, shown, out)


def _estimate(predictor: Predictor, benchmark: Benchmark, store: FeatureStore) -> AttributeEstimate | None:
    """What estimates attributes of images, for heads that predict no semantics."""
    head = without_photos(predictor.head)
    if isinstance(head, PredictsSemantics):
        return None
    return AttributeEstimate.of(head, store.features(), benchmark.keep(store.status == DONE))


def _written(run: Run, several: Sequence[Shown], out: Path | None) -> list[Explained]:
    """Write the page or the pictures."""
    head = str(run.about["head"])
    if out is not None and out.suffix.lower() in (".html", ".htm"):
        write_text(out, explanations_page(f"Explanations of {run.name}", head, several))
        return [Explained(one.explanation, out) for one in several]
    done = []
    for one in several:
        file = f"{picture_name(one.explanation.image)}.png"
        path = out if out is not None and out.suffix.lower() == ".png" else (out or run.path / "explain") / file
        write_png(draw(one.explanation, one.picture, head, one.grid), path)
        done.append(Explained(one.explanation, path))
    return done


def _subject(image: str, benchmark: Benchmark, store: FeatureStore) -> _Subject:
    """The image in the dataset, or a file that is not among its images."""
    path, root = Path(image), benchmark.image_root
    if image not in benchmark.image_ids and path.is_file():
        known = None if root is None else _id_of(path, root, benchmark)
        if known is None:
            return _Subject(image, None)
        image = known
    row = row_of(image, benchmark)
    if store.status[row] != DONE:
        raise InputError(f"{store.path} has no features of {benchmark.image_ids[row]}: resume the extraction.")
    return _Subject(benchmark.image_ids[row], row)


def _id_of(path: Path, root: Path, benchmark: Benchmark) -> str | None:
    """The id of a file of the dataset, None for any other file; the image or folders above it may be links."""
    places = [(path.parent.resolve() / path.name, root.resolve()), (path.resolve(), root.resolve())]
    ids = [place.relative_to(top).as_posix() for place, top in places if place.is_relative_to(top)]
    return next((i for i in ids if i in benchmark.image_ids), None)


def _opened(
    subject: _Subject, benchmark: Benchmark, store: FeatureStore, predictor: Predictor
) -> tuple[Features, Image.Image]:
    """The features (1, ...) of an image, and the part of it that the backbone saw."""
    if subject.row is not None:
        features = take(store.features(), np.array([subject.row]))
        return features, seen_picture(store, benchmark, subject.row)
    found: dict[str, np.ndarray] = {}

    def consume(rows: range, arrays: dict[str, np.ndarray], failures: dict[int, Failure]) -> None:
        for failure in failures.values():
            raise InputError(f"{failure.error[:-1]}: give another file.")
        found.update(arrays)

    predictor.images.each([subject.name], consume)
    return found, Image.fromarray(predictor.images.backbone.transform(read_image(Path(subject.name))))


def seen_picture(store: FeatureStore, benchmark: Benchmark, row: int) -> Image.Image:
    """The part of the image that the backbone saw; all of it if the store does not record that."""
    if benchmark.image_root is None:
        raise InputError(f"{benchmark.name} has no image folder, only features: extract from images to draw on them.")
    path = benchmark.image_root / benchmark.image_ids[row]
    try:
        image = read_image(path)
    except UnreadableImage as problem:
        raise InputError(f"the image {path} {problem}: restore it to draw on it.") from problem
    how = store.provenance["fingerprinted"].get("transform")
    if not isinstance(how, dict):
        return image
    return Image.fromarray(Transform.described(how)(image))


def row_of(image: str, benchmark: Benchmark) -> int:
    """The row of an image, given by its id, the end of its id, a path that ends in its id, or the row number.

    Raises:
        InputError: if no image or several match.
    """
    ids = benchmark.image_ids
    if image in ids:
        return ids.index(image)
    if image.isdecimal() and int(image) < len(ids):
        return int(image)
    matching = [i for i, known in enumerate(ids) if known.endswith(f"/{image}") or image.endswith(f"/{known}")]
    if len(matching) == 1:
        return matching[0]
    if matching:
        example = ids[matching[0]]
        raise InputError(f"{len(matching)} images of {benchmark.name} match {image}: give one as {example}.")
    near = nearest(image, ids)
    hint = f"did you mean {' or '.join(near)}?" if near else f"ids look like {ids[0]}, rows run to {len(ids) - 1}."
    raise InputError(f"{benchmark.name} has no image '{image}', and there is no such file: {hint}")


def picture_name(image: str) -> str:
    return "-".join(part for part in Path(image).with_suffix("").parts if part not in ("/", ".."))
