"""The judge of the drawing game: how well a drawing fits its prompt beside all the others, and whether it is writing.

A model that can read takes a written word for the thing (Goh et al. 2021), so writing the prompt would win. Two things
stand against it. Sentences about writing compete with the prompts. And a linear probe on the model's own embeddings,
fitted when the judge is made on pictures that Lexel draws (`doodles`), says how likely a drawing is writing; points are
taken away by as much. Parts of a drawing are looked at as well, so that a word in its corner is found too. To a model
whose embeddings do not tell writing from doodles, words mean nothing either: there the probe is left out.
docs/web-page.md says how often both sorts of mistake were made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from lexel.calibration import sigmoid
from lexel.encoder import Encoder
from lexel.errors import UsageError
from lexel.evaluation.classifier import label_embeddings
from lexel.evaluation.matching import match_of
from lexel.server.drawing.doodles import draw_doodle, draw_writing

TEMPLATES = ("{}", "a drawing of {}", "a simple drawing of {} in coloured lines")
DISTRACTORS = (
    "an empty sheet", "a few random strokes", "a scribble", "handwriting", "letters and words", "a written sentence",
    "a sheet with some text on it",
)  # fmt: skip
EXAMPLES = 256  # of writing, and of doodles, that the probe is fitted on
RIDGE = 0.1  # of the probe, beside the mean variance of the embeddings
STEEPNESS = 8.0  # of the logistic curve over the probe's value, which is −1 for doodles and 1 for writing
# Values of the probe from which writing is likelier than not, measured in docs/web-page.md. A part of a drawing has to
# look more like it: half of a stick figure is easily an "F".
WHOLE_FROM, PART_FROM = 0.1, 0.75
MIN_VARIANCE = 1e-9  # of embeddings
WRITING_FROM = 0.5  # probability from which the page tells the player so
EMPTY_BELOW = 0.002  # share of the pixels that have ink; below, nothing has been drawn
LEAST_ACCURACY = 0.9  # of the probe on examples that it was not fitted on, for it to be believed
GUESSES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the judge says of a drawing."""

    points: int  # 0 to 100
    probability: float  # of the prompt, among all prompts and distractors
    place: int  # of the prompt among the prompts, from 1
    match: float  # probability that drawing and prompt belong together, whatever the other prompts are
    writing: float  # probability that it is written, not drawn
    guesses: tuple[tuple[str, float], ...]  # prompts that fit best

    @property
    def is_writing(self) -> bool:
        return self.writing >= WRITING_FROM


class DrawingJudge:
    """Judges drawings by a model. Making it embeds the prompts and a few hundred small pictures."""

    def __init__(self, encoder: Encoder, prompts: Sequence[str]) -> None:
        self.encoder = encoder
        self.prompts = tuple(prompts)
        self._texts = label_embeddings(encoder, [*prompts, *DISTRACTORS], TEMPLATES)  # (P + K, D)
        self._weights, self._bias, accuracy = _fit_probe(encoder, prompts)
        self.knows_writing = accuracy >= LEAST_ACCURACY

    def judge(self, drawing: Image.Image, prompt: str) -> Verdict:
        """The verdict on a drawing. Raises UsageError for a prompt that is not one of the judge's."""
        if prompt not in self.prompts:
            raise UsageError(f'"{prompt}" is not one of the prompts.')
        index = self.prompts.index(prompt)
        if ink_share(drawing) < EMPTY_BELOW:
            return Verdict(0, 0.0, len(self.prompts), 0.0, 0.0, ())
        parts = [drawing, *ink_parts(drawing)]
        vectors = self.encoder.embed_images(parts)
        cosines = vectors[:1] @ self._texts.T
        probabilities = self.encoder.probabilities_of(cosines)[0]
        match = float(match_of(self.encoder, vectors[:1], cosines)[0, index])
        of_prompts = probabilities[: len(self.prompts)]
        best = np.argsort(-of_prompts, kind="stable")
        writing = self.writing_of(vectors)
        return Verdict(
            points_of(float(probabilities[index]), writing),
            float(probabilities[index]),
            int(np.flatnonzero(best == index)[0]) + 1,
            match,
            writing,
            tuple((self.prompts[i], float(of_prompts[i])) for i in best[:GUESSES]),
        )

    def writing_of(self, vectors: np.ndarray) -> float:
        """The probability that a drawing is written, of the embeddings (1 + parts, D) of it and its parts."""
        if not self.knows_writing:
            return 0.0
        values = vectors @ self._weights + self._bias
        values[:1] -= WHOLE_FROM
        values[1:] -= PART_FROM
        return float(sigmoid(STEEPNESS * values).max())


def points_of(probability: float, writing: float) -> int:
    """Points from 0 to 100: the root of the prompt's probability, so that a first likeness shows, less for writing."""
    return round(100 * probability**0.5 * (1 - writing))


def ink_share(drawing: Image.Image) -> float:
    """The share of pixels that differ from the background, the most common colour."""
    pixels = np.asarray(drawing.convert("L").resize((64, 64), Image.Resampling.BOX), np.int16)
    ground = np.bincount(pixels.ravel()).argmax()
    return float((np.abs(pixels - ground) > 12).mean())


def ink_parts(drawing: Image.Image) -> list[Image.Image]:
    """The halves, both ways, of the part of the drawing that has ink."""
    grey = np.asarray(drawing.convert("L"), np.int16)
    inked = np.abs(grey - np.bincount(grey.ravel()).argmax()) > 12
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    if not len(rows):
        return []
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    boxes = [
        (left, top, middle_x, bottom), (middle_x, top, right, bottom),
        (left, top, right, middle_y), (left, middle_y, right, bottom),
    ]  # fmt: skip
    return [_squared(drawing.crop(box)) for box in boxes if min(box[2] - box[0], box[3] - box[1]) >= 8]


def _squared(part: Image.Image) -> Image.Image:
    """The part amid a white square, because towers cut the sides off what is not square."""
    side = round(1.15 * max(part.size))
    square = Image.new("RGB", (side, side), "white")
    square.paste(part.convert("RGB"), ((side - part.width) // 2, (side - part.height) // 2))
    return square


def _fit_probe(encoder: Encoder, prompts: Sequence[str]) -> tuple[np.ndarray, float, float]:
    """Weights (D,) and bias of a probe: −1 for doodles, 1 for writing; and its accuracy on pictures left out."""
    random = np.random.default_rng(0)
    words = [word for prompt in prompts for word in prompt.split() if len(word) > 3]
    texts = [*prompts, *words]
    pictures = [  # by turns
        picture
        for _ in range(EXAMPLES)
        for picture in (draw_writing(texts[int(random.integers(len(texts)))], random), draw_doodle(random))
    ]
    vectors = encoder.embed_images(pictures).astype(np.float64)
    target = np.tile([1.0, -1.0], EXAMPLES)
    half = EXAMPLES  # of the pictures, as many of each kind
    weights, bias = _ridge(vectors[:half], target[:half])
    accuracy = float((np.sign(vectors[half:] @ weights + bias) == target[half:]).mean())
    return *_ridge(vectors, target), accuracy


def _ridge(vectors: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
    middle = vectors.mean(axis=0)
    centred = vectors - middle
    covariance = centred.T @ centred / len(vectors)
    ridge = RIDGE * max(MIN_VARIANCE, float(np.trace(covariance)) / len(covariance))
    weights = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), centred.T @ target / len(vectors))
    return weights, float(target.mean() - middle @ weights)
