"""The record of a run, run.json: read, checked, and with the checksums of the run's files."""

from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from zslpipe.errors import DamagedError, InputError
from zslpipe.files import read_json, sha256_json, write_json
from zslpipe.json_types import missing_or_mismatched
from zslpipe.store.intact import difference_from, require_intact
from zslpipe.store.sealed import Sum, sum_of

ABOUT = "run.json"
FORMAT = 2  # of runs; those without a number are of format 1, which lacks "plugins"

REQUIRED: dict[str, Any] = {
    "created": str,
    "dataset": str,
    "head": str,
    "request": dict[str, Any],
    "seeds": list[int],
    "selection": str,
    "semantics": str,
    "store": dict[str, str],
}
OPTIONAL: dict[str, Any] = {
    "files": dict[str, list[Any]],
    "notes": list[str],
    "plugins": list[str],
    "recipe": dict[str, Any],
    "sha256": str,
}


def write_record(folder: Path, about: dict[str, Any]) -> None:
    """Write run.json with the checksums of all files of a run that has just been trained, and with its own."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / ABOUT)
    whole = {
        **{k: v for k, v in about.items() if k != "sha256"},
        "files": {path.relative_to(folder).as_posix(): list(sum_of(path)) for path in files},
    }
    write_json(folder / ABOUT, {**whole, "sha256": sha256_json(whole)})


def read_record(folder: Path) -> dict[str, Any]:
    """The content of run.json.

    Raises:
        InputError: if the folder is not a run, or its record is not one that this version can use.
        DamagedError: if the record is not what was written.
    """
    path = folder / ABOUT
    try:
        about = read_json(path)
    except (OSError, ValueError, RecursionError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{folder} is not a run ({ABOUT}: {reason}): train one with zslpipe train-head.") from problem
    if isinstance(about, dict) and isinstance(about.get("format"), int) and about["format"] > FORMAT:
        raise InputError(
            f"{folder} was written by a later version of zslpipe (format {about['format']}): update zslpipe."
        )
    wrong = missing_or_mismatched(about, REQUIRED, OPTIONAL) or _wrong_value(about)
    if wrong:
        raise InputError(f"{path} is not the record of a run ({wrong}): remove the run or train it again.")
    if "sha256" in about and about["sha256"] != sha256_json({k: v for k, v in about.items() if k != "sha256"}):
        raise DamagedError(f"{path} is damaged (it does not match its own checksum): remove the run or train it again.")
    return about  # type: ignore[no-any-return]


def _wrong_value(about: dict[str, Any]) -> str | None:
    seeds, places = about["seeds"], about.get("files", {})
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        return "seeds must be different numbers from 0"
    if lacking := {"path", "fingerprint", "backbone"} - set(about["store"]):
        return f"store has no '{min(lacking)}'"
    for name, file_sum in places.items():
        inside = not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
        if not inside or len(file_sum) != 2 or not (isinstance(file_sum[0], int) and isinstance(file_sum[1], str)):
            return f"files has no usable entry for '{name}'"
    try:
        datetime.fromisoformat(about["created"])
    except ValueError:
        return f"created is not a time ('{about['created'][:40]}')"
    return None


def check_file(folder: Path, about: dict[str, Any], name: str) -> None:
    """Raise `DamagedError` unless a file of a run is what was written; runs without checksums are not checked."""
    if name in about.get("files", {}):
        require_intact(folder / name, Sum(*about["files"][name]), "remove the run and train it again")


def damaged_files(folder: Path, about: dict[str, Any]) -> dict[str, str]:
    """What is wrong with the files of a run, by their names."""
    found = {name: difference_from(folder / name, Sum(*known)) for name, known in about.get("files", {}).items()}
    return {name: wrong for name, wrong in found.items() if wrong}
