"""open_clip for `encode.py`: PEER/python open_clip_encode.py WORK float32|bfloat16"""

import sys
from pathlib import Path

import numpy as np
import open_clip
import torch
from PIL import Image
from rounds import in_batches, serve

work, precision = Path(sys.argv[1]), sys.argv[2]
name = f"local-dir:{work / 'open_clip'}"
model, _, preprocess = open_clip.create_model_and_transforms(
    name, precision="bf16" if precision == "bfloat16" else "fp32"
)
tokenizer = open_clip.get_tokenizer("ViT-B-32")
model.eval()
dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32


def pixels(image: Path | np.ndarray) -> torch.Tensor:
    return preprocess(Image.fromarray(image) if isinstance(image, np.ndarray) else Image.open(image))


# no_grad, because in bfloat16 its attention is four times slower under inference_mode
@torch.no_grad()
def embed_images(images: list) -> np.ndarray:
    return (
        model.encode_image(torch.stack([pixels(image) for image in images]).to(dtype), normalize=True).float().numpy()
    )


@torch.no_grad()
def embed_texts(texts: list[str]) -> np.ndarray:
    return model.encode_text(tokenizer(texts), normalize=True).float().numpy()


serve(
    f"open_clip {open_clip.__version__} {precision}",
    work,
    lambda images: in_batches(embed_images, images),
    lambda texts: in_batches(embed_texts, texts),
)
