"""Reading the heads that `Head.save` wrote, in this version or an earlier one; the files may be a stranger's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zslpipe.errors import DamagedError, InputError, ZslpipeError
from zslpipe.files import read_json, sha256_json
from zslpipe.json_types import missing_or_mismatched
from zslpipe.parts.head import FORMAT, HEADS, Head
from zslpipe.parts.problem import Problem
from zslpipe.store.intact import require_intact
from zslpipe.store.sealed import read_sums

SAVED: dict[str, Any] = {"head": str, "params": dict[str, Any]}  # keys of head.json
SINCE: dict[str, Any] = {  # keys that earlier versions did not write
    "format": int,
    "losses": dict[str, list[float]],
    "notes": list[str],
    "problem": dict[str, Any],
}
PROBLEM: dict[str, Any] = {
    "attributes": int,
    "backbone": dict[str, Any],
    "classes": int,
    "taps": dict[str, dict[str, Any]],
    "words": int,
}
MOST_UNSAVED = 1 << 26  # weights that are needed in training only, such as discriminators


def load_head(folder: Path) -> Head:
    """Read a head that `Head.save` wrote, in this version or an earlier one.

    Raises:
        InputError: if the folder has no complete head, or one that this version cannot read.
        DamagedError: if a file is not what was written; heads of earlier versions have no checksums.
    """
    from safetensors.numpy import load_file

    folder = Path(folder)
    about = read_about(folder)
    try:
        if "weights" in about:
            weights = read_sums({"weights": about["weights"]})["weights"]
            require_intact(folder / "head.safetensors", weights, "train again")
        name, params, written = about["head"], about["params"], about.get("format", 1)
        state = load_file(folder / "head.safetensors") if written <= FORMAT else {}
    except ZslpipeError:
        raise
    except Exception as problem:
        raise _incomplete(folder, problem) from problem
    if written > FORMAT:
        raise InputError(f"{folder} was written by a later version of zslpipe (format {written}): update zslpipe.")
    cls = HEADS[name]
    named = {cls.renamed.get(key, key): value for key, value in params.items()}
    head = cls().set_params(**{**cls.implied, **named})
    try:
        if written >= 2:
            wrong = missing_or_mismatched(about.get("problem"), PROBLEM, {})
            if wrong:
                raise ValueError(wrong)
        head.problem_ = Problem.from_json(about["problem"]) if written >= 2 else cls.upgrade(about, state)
        _check_state(head, state)
        head.load_state(state)
    except ZslpipeError:
        raise
    except Exception as problem:  # whatever a head makes of values that it has not written
        raise InputError(f"{folder} does not contain a usable {name} ({_reason(problem)}): train again.") from problem
    return head


def read_about(folder: Path) -> dict[str, Any]:
    """The content of head.json.

    Raises:
        InputError: if it is not what a head writes.
        DamagedError: if it does not match its own checksum.
    """
    try:
        about = read_json(folder / "head.json")
        wrong = missing_or_mismatched(about, SAVED, SINCE)
        if wrong:
            raise ValueError(wrong)
    except (OSError, ValueError, RecursionError) as problem:
        raise _incomplete(folder, problem) from problem
    if "sha256" in about and about.pop("sha256") != sha256_json(about):
        raise DamagedError(f"{folder / 'head.json'} is damaged (it does not match its own checksum): train again.")
    return about  # type: ignore[no-any-return]


def _incomplete(folder: Path, problem: Exception) -> InputError:
    return InputError(f"{folder} does not contain a complete head ({_reason(problem)}): train again.")


def _check_state(head: Head, state: Mapping[str, np.ndarray]) -> None:
    """Raise `ValueError` if a number is not finite, or if the head would be larger than what was saved of it."""
    for name, values in state.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"'{name}' has NaN or infinity")
    build = getattr(head, "build", None)
    if build is None:
        return
    import torch

    try:
        with torch.device("meta"):  # allocates nothing
            claimed = build(head.problem_).state_dict()
    except RuntimeError:  # the last layers of a backbone cannot be built without numbers; `load_state` compares them
        return
    for name, tensor in claimed.items():
        if name in state and tuple(tensor.shape) != state[name].shape:
            raise ValueError(f"'{name}' is {state[name].shape} instead of {tuple(tensor.shape)}")
    extra = sum(tensor.numel() for name, tensor in claimed.items() if name not in state)
    if extra > MOST_UNSAVED:
        raise ValueError(f"it lacks {extra} weights")


def _reason(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:200]
