"""transformers for `encode.py`: PEER/python transformers_encode.py WORK float32|bfloat16"""

import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from rounds import in_batches, serve
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

transformers.logging.set_verbosity_error()
work, precision = Path(sys.argv[1]), sys.argv[2]
dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
model = CLIPModel.from_pretrained(work / "huggingface", dtype=dtype).eval()
processor = AutoImageProcessor.from_pretrained(work / "huggingface")
tokenizer = AutoTokenizer.from_pretrained(work / "huggingface")


def vectors(output) -> np.ndarray:
    features = output if isinstance(output, torch.Tensor) else output.pooler_output
    return torch.nn.functional.normalize(features.float(), dim=-1).numpy()


@torch.inference_mode()
def embed_images(images: list) -> np.ndarray:
    pictures = [Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(image) for image in images]
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    return vectors(model.get_image_features(pixel_values=pixels.to(dtype)))


@torch.inference_mode()
def embed_texts(texts: list[str]) -> np.ndarray:
    tokens = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
    return vectors(model.get_text_features(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]))


serve(
    f"transformers {transformers.__version__} {precision}",
    work,
    lambda images: in_batches(embed_images, images),
    lambda texts: in_batches(embed_texts, texts),
)
