"""One way to every benchmark: by the name of a known one or by the folder of one's own."""

import os
import pkgutil
from pathlib import Path

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.known import FOLDERS
from zslpipe.data.xlsa17 import SPLITS, read_xlsa17, read_xlsa17_folder
from zslpipe.errors import InputError
from zslpipe.registry import Registry

DATASETS: Registry[str] = Registry("data set")
DATASETS.register("awa1")("Animals with Attributes: 50 animals, 85 attributes (features only)")
DATASETS.register("awa2")("Animals with Attributes 2: 50 animals, 85 attributes, 37322 images")
DATASETS.register("cub")("Caltech-UCSD Birds 200-2011: 200 birds, 312 attributes, 11788 images")
DATASETS.register("sun")("SUN Attribute: 717 scenes, 102 attributes, 14340 images")
DATASETS.register("apy")("Attribute Pascal and Yahoo: 32 objects, 64 attributes, 15339 objects in images")
DATASETS.register("flo")("Oxford Flowers 102: 102 flowers, 1024-d sentence vectors, 8189 images")
DATASETS.register("demo")("a small set of drawn images, made on the spot")

DRAWN = {"demo": "zslpipe.demo:make_demo"}  # drawn in a folder of the cache when first used


def default_data_root() -> Path:
    """Where data sets live: the environment's ZSLPIPE_DATA, else `data` in the working folder."""
    return Path(os.environ.get("ZSLPIPE_DATA") or "data")


def load_benchmark(
    dataset: str,
    data_root: Path | None = None,
    tables: Path | None = None,
    cache: Path | None = None,
    features_file: Path | None = None,
) -> Benchmark:
    """Read a benchmark; its images need not be there where it is a known one.

    Args:
        dataset: a name in `DATASETS`, or a folder: of images by class, or in the xlsa17 layout.
        data_root: where the known data sets live, `default_data_root()` where None.
        tables: for a folder of images, where its class table lies; the folder itself where None.
        cache: where the demo set is made, as `<cache>/demo`; ZSLPIPE_CACHE or `cache` where None.
        features_file: in the xlsa17 layout, the .mat that lists labels and images, wherever it lies; the
            folder's own where None.

    Raises:
        InputError: for an unknown name, a missing folder, and whatever the readers find wrong.
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

        return read_folder(folder, tables)
    DATASETS[dataset]  # raises, with the nearest names
    raise InputError(f"{dataset} is no data set.")
