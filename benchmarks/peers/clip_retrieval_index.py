"""clip-retrieval for `library.py`: clip_retrieval_index.py PICTURES WORK

Its own reader (four workers, batches of 256, its defaults), mapper, writer and runner, around open_clip's ViT-B/32 with
the given weights: its own loader knows published checkpoints only. What it imports and does not use is left out.
"""

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

found = find_spec("clip_retrieval")
CLIP_RETRIEVAL = list(found.submodule_search_locations or ()) if found else []
for unused in ("sentence_transformers", "wandb", "clip_retrieval"):
    sys.modules[unused] = ModuleType(unused)
sys.modules["clip_retrieval"].__path__ = CLIP_RETRIEVAL  # without what the package itself imports, a server say
sys.modules["sentence_transformers"].SentenceTransformer = None  # type: ignore[attr-defined]

import open_clip  # noqa: E402 - the above comes first
from clip_retrieval.clip_inference.mapper import ClipMapper  # noqa: E402
from clip_retrieval.clip_inference.reader import FilesReader  # noqa: E402
from clip_retrieval.clip_inference.runner import Runner  # noqa: E402
from clip_retrieval.clip_inference.writer import NumpyWriter  # noqa: E402

pictures, work = sys.argv[1:]
model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{Path(work).parent / 'open_clip'}")
model.eval()


class Quiet:
    def start(self) -> None: ...

    def end(self) -> None: ...

    def __call__(self, stats: dict) -> None: ...


def mapper() -> ClipMapper:
    made = ClipMapper.__new__(ClipMapper)
    made.enable_image, made.enable_text, made.enable_metadata, made.device = True, False, False, "cpu"
    made.model_img = model.encode_image
    return made


def run() -> None:
    Runner(
        lambda sampler: FilesReader(sampler, preprocess, None, pictures, 256, 4, enable_text=False),
        mapper,
        lambda part: NumpyWriter(part, work, False, True, False, 1),
        lambda part: Quiet(),
        1,
    )(0)


if __name__ == "__main__":
    began, cores = time.perf_counter(), sum(os.times()[:4])
    run()
    seconds, cpu = time.perf_counter() - began, sum(os.times()[:4]) - cores
    images = len(list(Path(pictures).iterdir()))
    print(json.dumps({"name": "clip-retrieval float32", "seconds": seconds, "cpu": cpu, "images": images}))
