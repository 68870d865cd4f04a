"""Writes sentencepiece.model, a small vocabulary, and sentencepiece.json, texts with their ids.

pip install sentencepiece==0.2.3, then python tests/parity/golden/make_sentencepiece.py
"""

import io
import json
import sys
import tempfile
from pathlib import Path

import sentencepiece  # pyright: ignore[reportMissingImports]

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from varied_text import varied_texts  # noqa: E402

RULES = {"ﬁ": "fi", "½": "1/2", "²": "2", "…": "...", "“": '"', "\u3000": " ", "\xa0": " "}


def hexadecimal(text: str) -> str:
    return " ".join(f"{ord(character):X}" for character in text)


texts = [text for text in varied_texts(4000, seed=8) if text.isprintable() and max(text, default=" ") < "\u3001"]
model = io.BytesIO()
with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
    rules.write("".join(f"{hexadecimal(before)}\t{hexadecimal(after)}\n" for before, after in RULES.items()))
    rules.flush()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=model,
        vocab_size=420,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        character_coverage=0.99,
        normalization_rule_tsv=rules.name,
        minloglevel=2,
    )
processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
probes = [" ".join(text.split()) for text in varied_texts(1500, seed=9, surrogates=False) if len(text) < 200]
# tokenizers loses marks behind a character that is normalised, and takes "</s>" for the end.
probes = [text for text in probes if not any(mark in text for mark in "<\u0301\u0308\u0327\u20e3\ufe0f")]
(HERE / "sentencepiece.model").write_bytes(model.getvalue())
rows = [[text, [*processor.encode(text), 1]] for text in probes[:200]]
(HERE / "sentencepiece.json").write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
