"""open_clip's pipeline of pictures: WebDataset, its own training transform, torch's DataLoader. See data.py.

PYTHON open_clip_loader.py MATERIAL WORK PIXELS IMAGES WORKERS
"""

import json
import resource
import sys
import time
from pathlib import Path

import open_clip
import torch
import webdataset as wds

BATCH = 32


def cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    material, work = sys.argv[1], Path(sys.argv[2])
    pixels, images, workers = map(int, sys.argv[3:])
    torch.set_num_threads(1)
    name = {"small": "small.tar", "large": "large.tar"}.get(material, "small.tar")  # it knows no packing and no cache
    transform = open_clip.image_transform(pixels, is_train=True)
    pipeline = [
        wds.ResampledShards([str(work / name)]),
        wds.tarfile_to_samples(),
        wds.decode("pilrgb"),
        wds.rename(image="jpg;png;jpeg;webp", text="txt"),
        wds.map_dict(image=transform, text=lambda text: text),
        wds.to_tuple("image", "text"),
        wds.batched(BATCH, partial=False),
    ]
    data = wds.DataPipeline(*pipeline).with_epoch(images // BATCH // max(1, workers))
    began_cpu, began, done, first = cpu(), 0.0, 0, 0
    for batch, _ in wds.WebLoader(data, batch_size=None, shuffle=False, num_workers=workers):
        if not began:
            began, first = time.perf_counter(), len(batch)
        done += len(batch)
    print(json.dumps({"seconds": (time.perf_counter() - began) / (done - first), "cpu": (cpu() - began_cpu) / done}))


if __name__ == "__main__":
    main()
