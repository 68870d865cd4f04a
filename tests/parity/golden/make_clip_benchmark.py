"""Write clip_benchmark.json: what CLIP_benchmark's own code makes of the embeddings of clip_benchmark_case.

pip install clip-benchmark --no-deps --target /tmp/clip_benchmark
PYTHONPATH=/tmp/clip_benchmark:tests/parity python tests/parity/golden/make_clip_benchmark.py
"""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from clip_benchmark.metrics import zeroshot_classification
from clip_benchmark.metrics.zeroshot_retrieval import recall_at_k
from golden.clip_benchmark_case import naming_case, retrieval_case, several_labels_case, tied_case
from sklearn.metrics import balanced_accuracy_score

RECALL_AT = (1, 5, 10)
# Its `accuracy` makes a number of an array with one element, which NumPy has refused since 2.4.
zeroshot_classification.float = lambda value: np.asarray(value).item()  # type: ignore[attr-defined]


def recalls(images: np.ndarray, texts: np.ndarray, image_of: np.ndarray, at: tuple[int, ...]) -> dict[str, float]:
    """As its `evaluate` makes them of the embeddings."""
    scores = torch.from_numpy(texts) @ torch.from_numpy(images).T
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(scores)), torch.from_numpy(image_of)] = True
    found = {}
    for k in at:
        found[f"text_to_image/recall@{k}"] = (recall_at_k(scores, positive, k) > 0).double().mean().item()
        found[f"image_to_text/recall@{k}"] = (recall_at_k(scores.T, positive.T, k) > 0).double().mean().item()
    return found


def over_all_orders(images: np.ndarray, texts: np.ndarray, image_of: np.ndarray) -> dict[str, float]:
    """The mean over every order of the images, so that no order decides ties; captions come along in theirs."""
    found = []
    for order in permutations(range(len(images))):
        place = np.argsort(order)
        found.append(recalls(images[list(order)], texts, place[image_of], (1,))["text_to_image/recall@1"])
    return {"text_to_image/recall@1": float(np.mean(found))}


def naming() -> dict[str, float]:
    images, labels, classes = naming_case()
    logits, target = torch.from_numpy(images @ labels.T), torch.from_numpy(classes)
    first, five = zeroshot_classification.accuracy(logits, target, topk=(1, 5))
    return {"top1": first, "top5": five, "mean_per_class": balanced_accuracy_score(classes, logits.argmax(1).numpy())}


def all_of_it() -> dict[str, Any]:
    scores, truth = map(torch.from_numpy, several_labels_case())
    return {
        "retrieval": recalls(*retrieval_case(), RECALL_AT),
        "tied": over_all_orders(*tied_case()),
        "naming": naming(),
        "average_precision": zeroshot_classification.average_precision_per_class(scores, truth).tolist(),
    }


if __name__ == "__main__":
    path = Path(__file__).with_name("clip_benchmark.json")
    path.write_text(json.dumps(all_of_it(), indent=1) + "\n")
