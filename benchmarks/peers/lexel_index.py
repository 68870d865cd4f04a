"""Lexel for `library.py`: lexel_index.py PICTURES WORK MODEL RUNTIME FORMAT

A library is made of the folder; the seconds are those of `Library.add`, from the first directory entry to the last
commit, with hashes, EXIF, thumbnails and all.
"""

import json
import os
import sys
import time
from pathlib import Path

import lexel
from lexel.library.library import Library

pictures, work, model, runtime, number_format = sys.argv[1:]
encoder = lexel.load(model, runtime=runtime, number_format=number_format)
encoder.embed_images(sorted(Path(pictures).iterdir())[:16])  # what is opened at first use
with Library.open(Path(work) / "photos.lexel", encoder, create=True) as library:
    began, cores = time.perf_counter(), sum(os.times()[:4])
    added = library.add(pictures)
    seconds, cpu = time.perf_counter() - began, sum(os.times()[:4]) - cores
print(
    json.dumps({"name": f"lexel {runtime} {number_format}", "seconds": seconds, "cpu": cpu, "images": added.embedded})
)
