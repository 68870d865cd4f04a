"""transformers for `library.py`: transformers_index.py PICTURES WORK     its documentation's loop in batches of 64"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor, CLIPModel

transformers.logging.set_verbosity_error()
pictures, work = Path(sys.argv[1]), Path(sys.argv[2])
model = CLIPModel.from_pretrained(work.parent / "huggingface").eval()
processor = AutoImageProcessor.from_pretrained(work.parent / "huggingface")


@torch.inference_mode()
def embed(paths: list[Path]) -> np.ndarray:
    pixels = processor(images=[Image.open(path) for path in paths], return_tensors="pt")["pixel_values"]
    output = model.get_image_features(pixel_values=pixels)
    return (output if isinstance(output, torch.Tensor) else output.pooler_output).numpy()


files = sorted(pictures.iterdir())
began, cores = time.perf_counter(), sum(os.times()[:4])
vectors = np.concatenate([embed(files[start : start + 64]) for start in range(0, len(files), 64)])
np.save(work / "vectors.npy", vectors)
seconds, cpu = time.perf_counter() - began, sum(os.times()[:4]) - cores
print(json.dumps({"name": "transformers float32", "seconds": seconds, "cpu": cpu, "images": len(files)}))
