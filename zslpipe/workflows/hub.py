"""`zslpipe push` and `zslpipe pull`: runs on the Hugging Face hub, or a server of the same kind (HF_ENDPOINT)."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zslpipe.errors import InputError, ZslpipeError
from zslpipe.extras import need
from zslpipe.files import write_text
from zslpipe.serving.exporting.card import Facts, card
from zslpipe.workflows.export_run import results_of
from zslpipe.workflows.predict import predictor_of
from zslpipe.workflows.runs import Run, find_run
from zslpipe.workflows.shared_run import PATTERNS, pack, unpack
from zslpipe.workflows.workspace import Workspace

REPO = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}")
USE = """## Use

    pip install zslpipe
    zslpipe pull {repo}
    zslpipe predict {name} PHOTOS

The folder holds JSON and safetensors only. It contains the names of the classes, attributes and images of the dataset,
and no features or images. The backbone is loaded by its name."""


@dataclass(frozen=True)
class Pushed:
    """Where a run is now."""

    run: str
    address: str
    files: tuple[str, ...]


def push(workspace: Workspace, name: str | None, repo: str, *, public: bool = False) -> Pushed:
    """Upload a run with a model card; the repository is made if there is none.

    Args:
        workspace: where runs and stores are.
        name: of the run, None for the newest.
        repo: OWNER/NAME.
        public: whether a new repository is visible to everybody.

    Raises:
        InputError: for an unknown run or an impossible name, or if others could not load the backbone.
        ZslpipeError: if the hub refuses or cannot be reached.
    """
    hub, run = _hub(repo), find_run(workspace.runs, name)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pack(workspace, run, folder)
        seed = run.seeds[0]
        use = USE.format(repo=repo, name=repo.split("/")[1])
        facts = Facts(predictor_of(workspace, run, seed, "cpu"), seed, run.about, results_of(workspace, run), use)
        write_text(folder / "README.md", card(facts))
        with _explained(repo):
            hub.HfApi().create_repo(repo, private=not public, exist_ok=True)
            done = hub.HfApi().upload_folder(
                repo_id=repo, folder_path=folder, allow_patterns=list(PATTERNS), commit_message=f"Run {run.name}"
            )
        files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return Pushed(run.name, str(done.commit_url).split("/commit/")[0], files)


def pull(workspace: Workspace, repo: str, *, revision: str | None = None) -> Run:
    """Download a run that `push` uploaded; its files are checked like those of any stranger.

    Args:
        workspace: where the run goes.
        repo: OWNER/NAME.
        revision: a branch, tag or commit; None for the newest.

    Raises:
        InputError: if it is not such a run.
        ZslpipeError: if the hub refuses or cannot be reached.
    """
    hub = _hub(repo)
    with tempfile.TemporaryDirectory() as place:
        with _explained(repo):
            commit = (
                hub.HfApi().repo_info(repo, revision=revision).sha
            )  # without it, a hub that is away is an empty folder
            hub.snapshot_download(repo, revision=commit, allow_patterns=list(PATTERNS), local_dir=place)
        return unpack(workspace, Path(place), repo.split("/")[1])


def _hub(repo: str) -> Any:
    if not REPO.fullmatch(repo):
        raise InputError(f"'{repo}' is not the name of a repository: give OWNER/NAME.")
    return need("huggingface_hub", "hub", "the Hugging Face hub")


@contextmanager
def _explained(repo: str) -> Iterator[None]:
    """Errors of the hub and of the network as one sentence."""
    try:
        yield
    except Exception as problem:  # those of the HTTP library depend on the version of huggingface_hub
        lines = str(problem).strip().splitlines() or [type(problem).__name__]
        raise ZslpipeError(
            f"the request to the hub for {repo} failed ({lines[0][:200]}): check the name, the network, and that "
            "you are logged in (hf auth login)."
        ) from problem
