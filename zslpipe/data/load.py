"""Loads any benchmark: a known one by name, your own by folder."""

import os
import pkgutil
from pathlib import Path

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.known import FOLDERS
from zslpipe.data.xlsa17 import SPLITS, read_xlsa17, read_xlsa17_folder
from zslpipe.errors import InputError
from zslpipe.registry import Registry

DATASETS: Registry[str] = Registry("dataset")
DATASETS.register("awa1")("Animals with Attributes: 50 animals, 85 attributes (features only)")
DATASETS.register("awa2")("Animals with Attributes 2: 50 animals, 85 attributes, 37322 images")
DATASETS.register("cub")("Caltech-UCSD Birds 200-2011: 200 birds, 312 attributes, 11788 images")
DATASETS.register("sun")("SUN Attribute: 717 scenes, 102 attributes, 14340 images")
DATASETS.register("apy")("Attribute Pascal and Yahoo: 32 objects, 64 attributes, 15339 objects in images")
DATASETS.register("flo")("Oxford Flowers 102: 102 flowers, 1024-d sentence vectors, 8189 images")
DATASETS.register("demo")("a small dataset of drawn images, created on first use")

DRAWN = {"demo": "zslpipe.demo:make_demo"}  # drawn into a folder of the cache on first use


def default_data_root() -> Path:
    """The folder of the datasets: the environment variable ZSLPIPE_DATA, else `data` in the working directory."""
    return Path(os.environ.get("ZSLPIPE_DATA") or "data")


def load_benchmark(
    dataset: str,
    data_root: Path | None = None,
    tables: Path | None = None,
    cache: Path | None = None,
    features_file: Path | None = None,
) -> Benchmark:
    """Load a benchmark. A known benchmark loads without its images.

    Args:
        dataset: a name in `DATASETS`, or a folder: images in class folders, or the xlsa17 layout.
        data_root: folder of the known datasets; None: `default_data_root()`.
        tables: for a folder of images, the folder of its class table; None: the same folder.
        cache: the demo set is created in `<cache>/demo`; None: ZSLPIPE_CACHE, else `cache`. Indices of .tar shards are
            kept in `<cache>/shards`; None: they are made again.
        features_file: for the xlsa17 layout, the .mat file that lists labels and images; None: found in the
            folder of the dataset.

    Raises:
        InputError: if the name is unknown, the folder is missing or its contents are invalid.
    """
    if dataset in FOLDERS:
        return read_xlsa17(dataset, data_root or default_data_root(), features_file)
    if dataset in DRAWN:
        draw = pkgutil.resolve_name(DRAWN[dataset])
        made: Benchmark = draw((cache or Path(os.environ.get("ZSLPIPE_CACHE") or "cache")) / dataset)
        return made
    folder = Path(dataset).expanduser()
    if (folder / SPLITS).is_file():
        return read_xlsa17_folder(folder, folder.name, features_file)
    if folder.is_dir() or os.sep in dataset or "/" in dataset:
        from zslpipe.data.folder import read_folder

        return read_folder(folder, tables, cache=cache and cache / "shards")
    DATASETS[dataset]  # raises and suggests similar names
    raise InputError(f"{dataset} is not a dataset.")
