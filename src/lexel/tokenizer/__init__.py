"""Text to token ids: Lexel's own tokenizers, CLIP's, and those of Hugging Face folders."""

from lexel.tokenizer.cleaning import TextRules
from lexel.tokenizer.clip import clip_tokenizer
from lexel.tokenizer.tokenizer import Tokenizer

__all__ = ["TextRules", "Tokenizer", "clip_tokenizer"]
