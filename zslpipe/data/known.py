"""The well-known benchmarks: where their files are below the data root, and what to download if they are missing."""

from pathlib import Path

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.image_paths import missing_images

FOLDERS = {"awa1": "AWA1", "awa2": "AWA2", "cub": "CUB", "sun": "SUN", "apy": "APY", "flo": "FLO"}
IMAGE_FOLDERS = {  # relative to the data root, the preferred folder first
    "awa1": ("images/AWA1", "AWA1/JPEGImages", "Animals_with_Attributes/JPEGImages"),
    "awa2": ("images/AWA2", "AWA2/JPEGImages", "Animals_with_Attributes2/JPEGImages"),
    "cub": ("images/CUB", "CUB_200_2011/images", "CUB/CUB_200_2011/images", "CUB/images"),
    "sun": ("images/SUN", "SUN/images", "SUNAttributeDB_Images/images", "SUNAttributeDB/images", "SUNAttributeDB"),
    "apy": ("images/APY", "APY/images", "aPY/images", "APY", "aPY"),
    "flo": ("images/FLO/jpg", "FLO/jpg", "flowers/jpg", "jpg"),
}
IMAGE_ARCHIVES = {
    "awa1": "the images (not public: import features instead)",
    "awa2": "JPEGImages of Animals_with_Attributes2 (AwA2-data.zip)",
    "cub": "images of CUB_200_2011.tgz",
    "sun": "images of SUNAttributeDB_Images.tar.gz",
    "apy": "the images of aPascal and aYahoo",
    "flo": "jpg of 102flowers.tgz",
}
ATTRIBUTES_OF = {"awa1": "AWA2"}  # datasets with the same attributes as another


def describe_missing_images(benchmark: Benchmark, data_root: Path | None = None) -> str | None:
    """A sentence saying which images are missing and where to put them; None if all are found."""
    missing = missing_images(benchmark.image_root, benchmark.image_ids)
    if not missing:
        return None
    total = len(benchmark.image_ids)
    if benchmark.image_root is not None:
        count = f"{len(missing)} of the {total} images of {benchmark.name} are missing"
        return f"{count}, the first is {benchmark.image_root / missing[0]}; put them there."
    if benchmark.name not in FOLDERS:
        return f"the folder with the {total} images of {benchmark.name} (such as {missing[0]}) is unknown."
    folder = (data_root or Path("<data root>")) / IMAGE_FOLDERS[benchmark.name][0]
    remedy = f"put {IMAGE_ARCHIVES[benchmark.name]} into {folder}, such that {folder / missing[0]} exists."
    return f"the {total} images of {benchmark.name} are missing: {remedy}"
