"""A run as others get it: JSON and safetensors only, without the paths of this machine, and without its store."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from zslpipe.data.benchmark import Benchmark, ClassSplit
from zslpipe.data.texts import TextSpec
from zslpipe.errors import InputError, ZslpipeError
from zslpipe.files import read_json, write_json
from zslpipe.json_types import missing_or_mismatched
from zslpipe.workflows.find import ORIGIN, origin_of_run
from zslpipe.workflows.run_record import ABOUT, OPTIONAL, REQUIRED, write_record
from zslpipe.workflows.runs import Run, new_run
from zslpipe.workflows.workspace import Workspace

TEXTS, ARRAYS = "benchmark.json", "benchmark.safetensors"
OF_A_SEED = ("head.json", "head.safetensors", "choice.json")
OF_PHOTOS = ("photos.json", "photos.safetensors")  # of unseen classes, if the run was given some
PATTERNS = (ABOUT, ORIGIN, TEXTS, ARRAYS, "README.md", *(f"seed-*/{name}" for name in (*OF_A_SEED, *OF_PHOTOS)))
WEIGHTS = ("timm", "package", "random")  # of backbones that everybody can load by name
LARGEST_JSON = 64 << 20
SHARED = ("semantics", "labels", "trainval", "test_seen", "test_unseen", "attribute_vectors")
BENCHMARK: dict[str, Any] = {
    "name": str,
    "class_names": list[str],
    "attribute_names": list[str],
    "image_ids": list[str],
    "class_splits": list[list[list[int]]],
    "sources": dict[str, str],
    "notes": list[str],
}


def pack(workspace: Workspace, run: Run, folder: Path) -> None:
    """Write the run into an empty folder; see `PATTERNS`.

    Raises:
        InputError: if others could not load its backbone by name.
    """
    origin = origin_of_run(workspace, run)
    provenance = _without_paths(origin.provenance)
    _require_named(provenance, run.name)
    about = {key: value for key, value in run.about.items() if key not in ("files", "sha256")}
    about["store"] = {**about["store"], "path": PurePath(about["store"]["path"]).name}
    about["plugins"] = [PurePath(name).name for name in about.get("plugins", ())]
    about["semantics"] = shared_semantics(about["semantics"])
    write_json(folder / ABOUT, about)
    write_json(folder / ORIGIN, {"provenance": provenance})
    _write_benchmark(run.benchmark, folder)
    for seed in run.seeds:
        (folder / f"seed-{seed}").mkdir()
        photos = OF_PHOTOS if f"seed-{seed}/{OF_PHOTOS[0]}" in run.about.get("files", {}) else ()
        for name in (*OF_A_SEED, *photos):
            shutil.copyfile(run.file(f"seed-{seed}/{name}"), folder / f"seed-{seed}" / name)


def unpack(workspace: Workspace, folder: Path, name: str) -> Run:
    """A run of the workspace from a folder that `pack` wrote, or that somebody else says it wrote.

    Raises:
        InputError: if it is not whole, or any part of it is not what it should be; nothing is kept then.
    """
    name = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "pulled"
    try:
        about = _json(folder / ABOUT)
        wrong = missing_or_mismatched(about, REQUIRED, OPTIONAL)
        if wrong:
            raise ValueError(f"{ABOUT}: {wrong}")
        origin = _json(folder / ORIGIN)
        _require_named(origin["provenance"], name)
        about["semantics"] = shared_semantics(about["semantics"])
        benchmark = _read_benchmark(folder)
        with new_run(workspace.runs, name) as made:
            benchmark.save(made.folder / "benchmark.npz")
            write_json(made.folder / ORIGIN, {"provenance": origin["provenance"]})
            for seed in about["seeds"]:
                (made.folder / f"seed-{int(seed)}").mkdir()
                photos = OF_PHOTOS if (folder / f"seed-{seed}" / OF_PHOTOS[0]).is_file() else ()
                for file in (*OF_A_SEED, *photos):
                    shutil.copyfile(folder / f"seed-{seed}" / file, made.folder / f"seed-{seed}" / file)
            write_record(made.folder, {k: v for k, v in about.items() if k not in ("files", "sha256")})
            tried = Run(made.folder)
            for seed in tried.seeds:
                tried.choice(seed)
                tried.head_with_photos(seed)
        return made.run
    except ZslpipeError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        reason = str(problem).strip().splitlines()[0][:200] if str(problem).strip() else type(problem).__name__
        raise InputError(f"{name} is not a run that zslpipe push wrote ({reason}).") from problem
    except Exception as problem:  # of safetensors
        raise InputError(f"{name} is not a run that zslpipe push wrote ({type(problem).__name__}).") from problem


def shared_semantics(spec: str) -> str:
    """How the semantics were made, without a path: a run must not make others open files.

    A sentence encoder needs only its name. What needs a file can no longer make semantics of new texts.
    """
    words = TextSpec.of(spec)
    if words.file is None:
        return spec if PurePath(spec).name == spec else PurePath(spec).name
    if words.kind == "text":
        return str(TextSpec(words.kind, words.model))
    return f"from {words.kind} in {words.file.name}"


def _require_named(provenance: Mapping[str, Any], name: str) -> None:
    request = provenance["recorded"].get("request", {})
    weights = request.get("weights")
    if not isinstance(provenance["fingerprinted"], dict) or weights not in WEIGHTS:
        kind = f"weights of its backbone come from a file ({weights})" if weights else "features come from elsewhere"
        raise InputError(
            f"run {name} cannot be shared, since the {kind}: share a run on a backbone that others load by name, or "
            "share what zslpipe export makes of it."
        )


def _without_paths(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance of a store with the last part of each path."""
    recorded = dict(provenance["recorded"])
    request = {
        key: PurePath(value).name if isinstance(value, str) and PurePath(value).is_absolute() else value
        for key, value in recorded.get("request", {}).items()
    }
    if PurePath(str(recorded.get("request", {}).get("weights", ""))).is_absolute():
        request["weights"] = recorded["request"]["weights"]  # refused, with its name
    return {**provenance, "recorded": {**recorded, "request": request}}


def _write_benchmark(benchmark: Benchmark, folder: Path) -> None:
    splits = [[list(map(int, s.train)), list(map(int, s.val))] for s in benchmark.class_splits]
    texts: dict[str, Any] = {
        key: list(getattr(benchmark, key)) for key in ("class_names", "attribute_names", "image_ids")
    }
    about = {"name": benchmark.name, "sources": dict(benchmark.sources), "notes": list(benchmark.notes)}
    write_json(folder / TEXTS, {**about, **texts, "class_splits": splits})
    arrays = {key: getattr(benchmark, key) for key in SHARED if getattr(benchmark, key) is not None}
    save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, folder / ARRAYS)


def _read_benchmark(folder: Path) -> Benchmark:
    texts, arrays = _json(folder / TEXTS), load_file(folder / ARRAYS)
    wrong = missing_or_mismatched(texts, BENCHMARK, {})
    if wrong:
        raise ValueError(f"{TEXTS}: {wrong}")
    if unknown := set(arrays) - set(SHARED):
        raise ValueError(f"{ARRAYS} has an unknown array '{min(unknown)[:40]}'")
    kinds = {key: ("f", 2) if key in ("semantics", "attribute_vectors") else ("i", 1) for key in arrays}
    for key, array in arrays.items():
        if (array.dtype.kind, array.ndim) != kinds[key]:
            raise ValueError(f"{ARRAYS}: {key} has dtype {array.dtype} and {array.ndim} axes")
    given: dict[str, Any] = {key: tuple(texts[key]) for key in ("class_names", "attribute_names", "image_ids", "notes")}
    given |= arrays
    splits = tuple(ClassSplit(tuple(s[0]), tuple(s[1])) for s in texts["class_splits"])
    return Benchmark(name=texts["name"], class_splits=splits, sources=texts["sources"], **given)


def _json(path: Path) -> Any:
    if path.stat().st_size > LARGEST_JSON:
        raise ValueError(f"{path.name} is larger than {LARGEST_JSON >> 20} MiB")
    return read_json(path)
