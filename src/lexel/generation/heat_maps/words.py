"""Which words of a text speak for a picture: the cosine with the text, less the cosine without the word."""

from dataclasses import dataclass

import numpy as np

from lexel.encoder import Encoder


@dataclass(frozen=True, slots=True)
class WordShare:
    """One word of a text, in its place."""

    word: str
    effect: float  # by how much the cosine falls without it; negative where the word speaks against the picture
    share: float  # of all falls, 0..1; 0 where there is none


def word_shares(encoder: Encoder, image_vector: np.ndarray, text: str) -> list[WordShare]:
    """What each word of the text does for its cosine with an image vector (D,) of unit length.

    Words are what stands between spaces. A text that is a single word has nothing to be compared with: its share is 1.
    The words are left out one by one (Li et al. 2016, "Understanding neural networks through representation erasure").
    """
    words = text.split()
    if len(words) < 2:
        cosine = float(encoder.embed_texts([text])[0] @ image_vector)
        return [WordShare(word, cosine, 1.0) for word in words]
    shortened = [" ".join(words[:left_out] + words[left_out + 1 :]) for left_out in range(len(words))]
    cosines = encoder.embed_texts([text, *shortened]) @ image_vector
    effects = cosines[0] - cosines[1:]
    falls = np.clip(effects, 0, None)
    shares = falls / falls.sum() if falls.any() else falls
    return [WordShare(*row) for row in zip(words, effects.tolist(), shares.tolist(), strict=True)]
