"""Training a captioner: from texts alone, or from pairs of picture and text as well.

From texts the decoder learns to say a text again from its own vector (DeCap, Li et al. 2023), moved by random noise so
that vectors beside those of texts are understood too (CapDec, Nukrai et al. 2022). From pairs it also learns to say a
caption from the vector of its picture.
"""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lexel.data.pairs import Source
from lexel.encoder import Encoder
from lexel.errors import DataError, UsageError
from lexel.evaluation.evaluation_cache import EvaluationCache
from lexel.files import make_folder
from lexel.generation.captions.decoder import CaptionDecoder, DecoderConfig
from lexel.generation.captions.folder import (
    DESCRIPTION,
    PIECES,
    TRAINING,
    CaptionerFacts,
    CaptionerParts,
    read_facts,
    save_captioner,
)
from lexel.generation.captions.memory import Memory, spread_rows
from lexel.generation.captions.settings import CaptionerSettings
from lexel.generation.learning.batches import RowOrder, numpy_random, torch_random
from lexel.generation.learning.embeddings import EmbeddedPairs, embed_distinct, embed_pairs
from lexel.generation.learning.folder import SNAPSHOTS, check_same_run
from lexel.generation.learning.learn import learn
from lexel.progress import say
from lexel.tokenizer import Tokenizer

IGNORED = -100  # the target of what is not learned


@dataclass(frozen=True)
class CaptionExamples:
    """What is learned from."""

    ids: np.ndarray  # (M, T) int64: texts with start and end, filled with IGNORED
    text_vectors: np.ndarray  # (M, E)
    pictures: np.ndarray | None  # (N, E)
    texts_of: list[list[int]]  # rows of texts, for each picture


class CaptionLearner:
    """The loss of a step: cross-entropy of each token of a caption, given a vector and the tokens before."""

    def __init__(self, model: CaptionDecoder, examples: CaptionExamples, settings: CaptionerSettings) -> None:
        self.model = model
        self.examples = examples
        self.settings = settings
        learning = settings.learning
        of_pairs = 0 if examples.pictures is None else max(1, round(settings.pair_share * learning.batch_size))
        self._pairs = RowOrder(len(examples.texts_of), of_pairs, learning.seed) if of_pairs else None
        left = learning.batch_size - of_pairs
        self._texts = RowOrder(len(examples.ids), left, learning.seed + 1) if left else None

    def loss(self, step: int) -> Tensor:
        vectors, ids = self._batch(step)
        device = self.model.position_embedding.device
        ids = ids[:, : int((ids != IGNORED).sum(1).max())].to(device)
        logits = self.model(vectors.to(device), ids[:, :-1].clamp(min=0))
        return F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), ignore_index=IGNORED)

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Vectors (B, E) with their noise, and the ids (B, T) of what is to be said."""
        seed, examples = self.settings.learning.seed, self.examples
        vectors, rows = [], []
        if self._pairs is not None and examples.pictures is not None:
            pictures = self._pairs.rows(step)
            choice = numpy_random(seed, step, "caption").random(len(pictures))
            rows += [
                texts[int(u * len(texts))]
                for u, texts in zip(choice, (examples.texts_of[row] for row in pictures), strict=True)
            ]
            clean = torch.from_numpy(examples.pictures[pictures])
            vectors.append(noisy(clean, self.settings.picture_noise, torch_random(seed, step, "pictures")))
        if self._texts is not None:
            texts = self._texts.rows(step)
            rows += texts.tolist()
            clean = torch.from_numpy(examples.text_vectors[texts])
            vectors.append(noisy(clean, self.settings.noise, torch_random(seed, step, "texts")))
        return torch.cat(vectors), torch.from_numpy(examples.ids[rows])


def noisy(vectors: Tensor, most: float, random: torch.Generator) -> Tensor:
    """Unit vectors (B, E) moved in random directions by lengths drawn from 0 to `most`, as unit vectors again."""
    directions = F.normalize(torch.randn(vectors.shape, generator=random), dim=1)
    return F.normalize(vectors + most * torch.rand(len(vectors), 1, generator=random) * directions, dim=1)


def train_captioner(
    encoder: Encoder,
    source: Source | list[str],
    output: Path,
    settings: CaptionerSettings,
    cache: EvaluationCache | None = None,
    name: str = "texts",
) -> CaptionerFacts:
    """Train a captioner for `encoder` into the folder `output`, or go on where an earlier call was cut off.

    `source` is read pairs, or texts alone (then `name` says where they are from). `settings.learning.steps` is taken as
    it is; `default_steps` says how many are enough. Raises UsageError where the folder holds something else, DataError
    where nothing can be learned.
    """
    _check_output(output)
    texts_only = settings.texts_only or not isinstance(source, Source)
    texts, vectors, pairs = _embedded(encoder, source, texts_only, cache)
    tokenizer = Tokenizer.train(texts, settings.vocabulary_size, settings.context_length)
    examples = CaptionExamples(
        _padded(tokenizer, texts, settings.context_length),
        vectors,
        None if pairs is None else pairs.pictures,
        [] if pairs is None else pairs.texts_of,
    )
    config = DecoderConfig(
        embedding=vectors.shape[1],
        vocabulary_size=tokenizer.vocabulary_size,
        **settings.model_dump(include={"context_length", "width", "depth", "heads", "dropout"}),
    )
    model = CaptionDecoder(config)
    model.init_weights(settings.learning.seed)
    steps = settings.learning.steps
    fingerprint = pairs.fingerprint() if pairs else EmbeddedPairs([], vectors, texts, vectors, []).fingerprint()
    identity = {
        "model": encoder.fingerprint,
        "data": fingerprint,
        "captioner": settings.model_dump(mode="json", exclude={"learning"}),
    }
    check_same_run(output / TRAINING, settings.learning, identity)
    if (output / DESCRIPTION).is_file():
        say(f"The captioner in {output} is trained; there is nothing left to do.")
        return read_facts(output)
    say(
        f"Training a captioner for {encoder.name}: {len(texts):,} captions"
        + (f" of {len(pairs.pairs):,} pictures" if pairs else "")
        + f", {steps:,} steps of {settings.learning.batch_size}, {sum(p.numel() for p in model.parameters()):,} "
        f"parameters, into {output}"
    )
    make_folder(output)
    learn(CaptionLearner(model, examples, settings), output / TRAINING, settings.learning, identity)
    kept = spread_rows(len(texts), settings.memory)
    facts = CaptionerFacts(
        model=encoder.source.model if encoder.source else None,
        model_name=encoder.name,
        fingerprint=encoder.fingerprint,
        decoder=config,
        temperature=settings.temperature,
        learned_pictures=pairs is not None,
        source=source.name if isinstance(source, Source) else name,
        captions=len(texts),
        commonest=_commonest(source),
        steps=steps,
    )
    weights = {key: value.cpu().contiguous().numpy() for key, value in model.state_dict().items()}
    memory = Memory([texts[row] for row in kept], vectors[kept].astype(np.float16), settings.temperature)
    save_captioner(output, CaptionerParts(facts, weights, tokenizer, memory))
    shutil.rmtree(output / TRAINING / SNAPSHOTS, ignore_errors=True)
    return facts


def _check_output(output: Path) -> None:
    there = {entry.name for entry in output.glob("[!.]*")} if output.is_dir() else set()
    if output.exists() and not output.is_dir():
        raise UsageError(f"{output} is a file. Give the name of a folder.")
    if there - {TRAINING, DESCRIPTION, *PIECES}:
        raise UsageError(f"{output} is not empty and holds no captioner. Give another --output.")


def _embedded(
    encoder: Encoder, source: Source | list[str], texts_only: bool, cache: EvaluationCache | None
) -> tuple[list[str], np.ndarray, EmbeddedPairs | None]:
    if isinstance(source, Source) and not texts_only:
        pairs = embed_pairs(encoder, source, cache)
        return pairs.texts, pairs.text_vectors, pairs
    if isinstance(source, Source):
        source = [caption.strip() for pair in source.pairs for caption in pair.captions]
    texts = [text for text in source if text.strip()]
    if not texts:
        raise DataError("There are no captions to learn from.\nName the column that has them, or give another source.")
    return *embed_distinct(encoder, texts, cache), None


def _commonest(source: Source | list[str]) -> str:
    """The caption that is there most often, of several the first one."""
    texts = [text for pair in source.pairs for text in pair.captions] if isinstance(source, Source) else source
    return Counter(text.strip() for text in texts if text.strip()).most_common(1)[0][0]


def _padded(tokenizer: Tokenizer, texts: list[str], context_length: int) -> np.ndarray:
    """(M, T) int64 ids, filled with IGNORED; of a caption longer than the context only the beginning, without an end.

    Raises DataError where that is most of them.
    """
    rows = tokenizer.encode(texts)
    whole = tokenizer.with_context(context_length + 1).encode(texts)
    cut = [len(row) > context_length for row in whole]
    longer = f"{sum(cut):,} of {len(texts):,} captions are longer than {context_length} tokens"
    if 2 * sum(cut) > len(texts):
        raise DataError(f"{longer}.\nGive a larger --context.")
    if any(cut):
        say(f"{longer}: their end is not learned.")
    ids = np.full((len(rows), max(map(len, rows))), IGNORED, dtype=np.int64)
    for target, row, is_cut in zip(ids, rows, cut, strict=True):
        kept = row[:-1] if is_cut else row
        target[: len(kept)] = kept
    return ids
