"""`zslpipe explain`: pictures of the attention of a run's head on images of its dataset."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from zslpipe.backbones.transform import Transform
from zslpipe.data.benchmark import Benchmark
from zslpipe.drawing import write_png
from zslpipe.errors import InputError
from zslpipe.extract.decode import UnreadableImage, read_image
from zslpipe.progress import track
from zslpipe.registry import nearest, unknown
from zslpipe.serving.attention_maps import INK, RIGHT, WRONG, Tile, draw_row
from zslpipe.serving.explain import Explanation, explain, head_taps
from zslpipe.store.feature_store import DONE, FeatureStore
from zslpipe.workflows.find import store_of_run
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.workspace import Workspace


@dataclass(frozen=True)
class Explained:
    """An explanation and the file with its picture."""

    explanation: Explanation
    picture: Path

    def as_json(self) -> dict[str, Any]:
        return {**self.explanation.as_json(), "picture": str(self.picture)}


def explain_images(
    workspace: Workspace,
    name: str,
    images: Sequence[str],
    *,
    seed: int | None = None,
    others: int = 3,
    classes: Sequence[str] = (),
    out: Path | None = None,
) -> list[Explained]:
    """Explain images and write one PNG per image.

    Features are read from the run's store: no backbone is loaded, and only the images themselves are opened.

    Args:
        workspace: where runs and stores are.
        name: name of the run.
        images: ids, file names or row numbers.
        seed: which of the run's seeds, None for the first.
        others: number of wrong classes to show, those with the highest scores.
        classes: classes to show instead.
        out: folder for the pictures, None for `RUN/explain`.

    Raises:
        InputError: for an unknown run, class or image, an image whose features or picture are missing, or a head
            without attention.
    """
    run = find_run(workspace.runs, name)
    seed = run.seeds[0] if seed is None else seed
    if seed not in run.seeds:
        raise InputError(f"run {run.name} has no seed {seed}: use {', '.join(map(str, run.seeds))}.")
    benchmark, store, head = run.benchmark, store_of_run(workspace, run), run.head(seed)
    delta = run.choice(seed).delta or 0.0
    for name in set(classes) - set(benchmark.class_names):
        raise unknown("class", name, benchmark.class_names)
    asked = [benchmark.class_names.index(c) for c in classes]
    status = store.status
    rows = [row_of(image, benchmark) for image in images]
    for row in rows:
        if status[row] != DONE:
            raise InputError(f"{store.path} has no features of {benchmark.image_ids[row]}: resume the extraction.")
    done = []
    grid = store.taps["region"].grid if "region" in store.taps else None
    for row in track(rows, "explaining"):
        features = {tap: store.rows(tap) for tap in head_taps(head)}
        explanation = explain(head, features, benchmark, row, delta, others, asked)
        path = (out or run.path / "explain") / f"{picture_name(explanation.image)}.png"
        sheet = draw(explanation, seen_picture(store, benchmark, row), run, grid)
        write_png(sheet, path)
        done.append(Explained(explanation, path))
    return done


def draw(explanation: Explanation, picture: Image.Image, run: Run, grid: tuple[int, int] | None) -> Image.Image:
    """The image itself, then one tile for each attention map."""
    right = explanation.true == explanation.predicted
    verdict = "" if explanation.true is None else " (right)" if right else " (wrong)"
    tiles = [Tile(explanation.true or "class unknown", "as the backbone saw it")]
    for one in explanation.maps:
        colour = {"true class": RIGHT, "wrong class": WRONG}.get(one.role, INK)
        value = f"value {one.score:.2f}" if one.role == "attribute" else f"score {one.score:.2f}"
        tiles.append(Tile(one.name, f"{one.role}, {value}", one.attention, colour, grid))
    heading = f"{explanation.image}   {run.about['head']} predicts {explanation.predicted}{verdict}"
    return draw_row(picture, tiles, heading)


def seen_picture(store: FeatureStore, benchmark: Benchmark, row: int) -> Image.Image:
    """The part of the image that the backbone saw; all of it if the store does not record that."""
    if benchmark.image_root is None:
        raise InputError(f"{benchmark.name} has no image folder, only features: extract from images to draw on them.")
    path = benchmark.image_root / benchmark.image_ids[row]
    try:
        image = read_image(path)
    except UnreadableImage as problem:
        raise InputError(f"the image {path} {problem}: put it back to draw on it.") from problem
    how = store.provenance["fingerprinted"].get("transform")
    if not isinstance(how, dict):
        return image
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in how.items()}
    return Image.fromarray(Transform(**values)(image))


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
    raise InputError(f"{benchmark.name} has no image '{image}': {hint}")


def picture_name(image: str) -> str:
    return "-".join(Path(image).with_suffix("").parts)
