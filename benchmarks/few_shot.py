"""Few-shot curves: what 0, 1, 2, 4, 8 and 16 labelled pictures a class teach, beside the ways that others go.

    python benchmarks/few_shot.py runs/everyday/model .data/caltech101_eval .data/grocery

Each source has a train and a test split. For every number of pictures a class, drawn with three seeds: zero-shot,
Lexel's `fit`, a plain linear probe (logistic regression, C = 10, no texts), and Tip-Adapter as published
(training-free, alpha 1, beta 5.5). Accuracy on the test split; "promised" is what `fit` expected of it.
"""

import argparse
import time

import numpy as np

import lexel
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.embedded_source import embed_source
from lexel.evaluation.evaluation_cache import default_cache
from lexel.evaluation.few_shot.folds import few_of_each
from lexel.evaluation.few_shot.learned import learn
from lexel.evaluation.tasks.learning.probe import fit_probe

SHOTS, SEEDS = (1, 2, 4, 8, 16), (0, 1, 2)


def tip_adapter(
    vectors: np.ndarray, examples: np.ndarray, classes: np.ndarray, texts: np.ndarray, scale: float
) -> np.ndarray:
    """Zhang et al. 2022, equation 5: the affinities of a class are summed."""
    affinities = np.exp(-5.5 * (1 - vectors @ examples.T)) @ np.eye(len(texts))[classes]
    return scale * vectors @ texts.T + 1.0 * affinities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    encoder = lexel.load(arguments.model)
    for name in arguments.sources:
        measure(encoder, name)


def measure(encoder: lexel.Encoder, name: str) -> None:
    train, test = (embed_source(encoder, lexel.read_source(f"{name}/{s}"), default_cache()) for s in ("train", "test"))
    labels = sorted({str(pair.label) for pair in (*train.pairs, *test.pairs)})
    column = {label: number for number, label in enumerate(labels)}
    classes, truth = (np.array([column[str(pair.label)] for pair in source.pairs]) for source in (train, test))
    texts, scale = label_embeddings(encoder, labels), encoder.logit_scale
    known = scale * test.vectors @ texts.T
    zero_shot = 100 * (known.argmax(1) == truth).mean()
    error = 100 * (zero_shot / 100 * (1 - zero_shot / 100) / len(truth)) ** 0.5
    print(f"\n{name}: {len(labels)} classes, {len(truth):,} test pictures, zero-shot {zero_shot:.1f} % (± {error:.1f})")
    print(f"{'a class':>8}{'fit':>8}{'promised':>10}{'probe':>8}{'tip':>8}{'seconds':>9}   strengths of seed 0")
    for shots in SHOTS:
        rows, strengths = [], None
        for seed in SEEDS:
            few = few_of_each(np.arange(len(classes)), classes, shots, seed)
            examples, taught = train.vectors[few], classes[few]
            start = time.perf_counter()
            learned = learn(examples, taught, texts, scale)
            seconds = time.perf_counter() - start
            answers = (
                learned.logits(test.vectors, known),
                fit_probe(examples, taught, 10.0).scores(test.vectors, len(labels)),
                tip_adapter(test.vectors, examples, taught, texts, scale),
            )
            ours, probe, tip = (100 * (answer.argmax(1) == truth).mean() for answer in answers)
            promised = 100 * learned.expected.value if learned.expected else float("nan")
            rows.append((ours, promised, probe, tip, seconds))
            strengths = strengths or learned.strengths
        ours, promised, probe, tip, seconds = np.mean(rows, axis=0)
        print(f"{shots:>8}{ours:>8.1f}{promised:>10.1f}{probe:>8.1f}{tip:>8.1f}{seconds:>9.1f}   {strengths}")


if __name__ == "__main__":
    main()
