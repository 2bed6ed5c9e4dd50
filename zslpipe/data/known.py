"""The well-known benchmarks: where their files lie below the data root, and what to fetch where they do not."""

from pathlib import Path

from zslpipe.data.benchmark import Benchmark
from zslpipe.data.image_paths import missing_images

FOLDERS = {"awa1": "AWA1", "awa2": "AWA2", "cub": "CUB", "sun": "SUN", "apy": "APY", "flo": "FLO"}
IMAGE_FOLDERS = {  # below the data root, the usual place first
    "awa1": ("images/AWA1", "AWA1/JPEGImages", "Animals_with_Attributes/JPEGImages"),
    "awa2": ("images/AWA2", "AWA2/JPEGImages", "Animals_with_Attributes2/JPEGImages"),
    "cub": ("images/CUB", "CUB_200_2011/images", "CUB/CUB_200_2011/images", "CUB/images"),
    "sun": ("images/SUN", "SUN/images", "SUNAttributeDB_Images/images", "SUNAttributeDB/images", "SUNAttributeDB"),
    "apy": ("images/APY", "APY/images", "aPY/images", "APY", "aPY"),
    "flo": ("images/FLO/jpg", "FLO/jpg", "flowers/jpg", "jpg"),
}
IMAGE_PACKAGES = {
    "awa1": "the images (not public: its features can be imported instead)",
    "awa2": "JPEGImages of Animals_with_Attributes2 (AwA2-data.zip)",
    "cub": "images of CUB_200_2011.tgz",
    "sun": "images of SUNAttributeDB_Images.tar.gz",
    "apy": "the images of aPascal and aYahoo",
    "flo": "jpg of 102flowers.tgz",
}
ATTRIBUTES_OF = {"awa1": "AWA2"}  # two data sets with the same attributes


def images_missing_sentence(benchmark: Benchmark, data_root: Path | None = None) -> str | None:
    """What to put where so that the benchmark's images are found; None where they all are."""
    gone = missing_images(benchmark.image_root, benchmark.image_ids)
    if not gone:
        return None
    total = len(benchmark.image_ids)
    if benchmark.image_root is not None:
        count = f"{len(gone)} of the {total} images of {benchmark.name} are missing"
        return f"{count}, the first is {benchmark.image_root / gone[0]}: put them there."
    if benchmark.name not in FOLDERS:
        return f"the folder with the {total} images of {benchmark.name} (such as {gone[0]}) is not known."
    place = (data_root or Path("<data root>")) / IMAGE_FOLDERS[benchmark.name][0]
    fetch = f"put {IMAGE_PACKAGES[benchmark.name]} at {place}, such that {place / gone[0]} exists."
    return f"the {total} images of {benchmark.name} are missing: {fetch}"
