"""Peak memory of an extraction of few and of many images: it must not grow.

    python benchmarks/extraction_memory.py [--folder PHOTOS] [--counts 1000 8000]

Each count runs in its own process. Reported are its resident memory with the model loaded and the peak from then on,
including the writing of the store. Linux resets the peak when 5 is written to /proc/self/clear_refs, so that the peak
of the imports does not hide that of the extraction. A small backbone makes it fast; the buffers (batches, pieces) are
the same for any other.
"""

import argparse
import multiprocessing
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import RESULTS, forget_peak, resident, write_table
from PIL import Image


def peak(folder: Path, ids: list[str], scratch: Path) -> tuple[float, float]:
    """(MiB resident before the first image, peak MiB from then on) of this process."""
    from extraction import Job, new_store  # the script beside this one

    from zslpipe.backbones import load_backbone
    from zslpipe.cli.memory import keep_freed_memory
    from zslpipe.extract.pipeline import extract

    keep_freed_memory()
    backbone = load_backbone("resnet18", "random", 64)
    job = Job("resnet18", "random", "cpu", 32, 2, len(ids), np.empty(0), backbone.transform)
    write = new_store(scratch / "store", job, backbone)
    before = resident("VmRSS")
    forget_peak()
    extract(backbone, folder, ids, job.pieces, write, batch_size=job.batch_size, workers=job.workers)
    return before, resident("VmHWM")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder of photos (default: 100 generated ones, repeated)")
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 8000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zslpipe-memory-") as scratch:
        folder = options.folder or Path(scratch) / "photos"
        if options.folder is None:
            folder.mkdir()
            rng = np.random.default_rng(0)
            for i in range(100):
                coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
                coarse.resize((341, 256), Image.Resampling.BICUBIC).save(folder / f"{i}.jpg")
        found = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.jp*g"))
        rows = []
        for count in options.counts:
            ids = [found[i % len(found)] for i in range(count)]
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                before, after = pool.apply(peak, (folder, ids, Path(scratch) / str(count)))
            print(f"{count:6} images: peak {after:.0f} MiB, of which {before:.0f} MiB before the first image")
            rows.append({"images": count, "before_mib": round(before), "peak_mib": round(after)})
    write_table(RESULTS / f"extraction_memory-torch{torch.__version__}.csv", rows)


if __name__ == "__main__":
    main()
