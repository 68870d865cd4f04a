"""open_clip's pipeline of pictures: WebDataset, its own training transform, torch's DataLoader. See data.py.

PYTHON open_clip_loader.py MATERIAL WORK PIXELS IMAGES WORKERS
"""

import json
import os
import sys
import time
from pathlib import Path

import open_clip
import torch
import webdataset as wds

BATCH = 32


def cpu() -> float:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ticks = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in ["self", *children])
    return sum(int(user) + int(system) for user, system in ticks) / os.sysconf("SC_CLK_TCK")


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
    data = wds.DataPipeline(*pipeline).with_epoch(images // BATCH // max(1, workers) + 8)
    began_cpu, began, done, first = 0.0, 0.0, 0, 0
    for batch, _ in wds.WebLoader(data, batch_size=None, shuffle=False, num_workers=workers):
        if not began:
            began, began_cpu, first = time.perf_counter(), cpu(), len(batch)
        done += len(batch)
        if done >= images:  # within the loop: the workers end with it
            seconds, used, timed = time.perf_counter() - began, cpu() - began_cpu, done - first
            print(json.dumps({"seconds": seconds / timed, "cpu": used / timed}))
            break


if __name__ == "__main__":
    main()
