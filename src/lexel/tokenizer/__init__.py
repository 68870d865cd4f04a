"""Text to token ids: Lexel's own tokenizers, CLIP's, and those of Hugging Face folders.

In reading order: `cleaning` (what is done to a text first), `tokenizer` (ids that fit the context), `clip` (CLIP's own,
from its merges), `sentencepiece` and `huggingface` (other libraries' files), `bounds` (what a file may not do to a
text), `absent` (for a model that came without).
"""

from lexel.tokenizer.absent import AbsentTokenizer
from lexel.tokenizer.cleaning import TextRules
from lexel.tokenizer.clip import clip_tokenizer
from lexel.tokenizer.huggingface import huggingface_tokenizer
from lexel.tokenizer.tokenizer import Tokenizer

__all__ = ["AbsentTokenizer", "TextRules", "Tokenizer", "clip_tokenizer", "huggingface_tokenizer"]
