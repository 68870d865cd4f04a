"""Lexel for `encode.py`: python lexel_encode.py WORK MODEL RUNTIME NUMBER_FORMAT"""

import sys
from pathlib import Path
from typing import Any

from rounds import serve

import lexel

work, model = Path(sys.argv[1]), sys.argv[2]
runtime, number_format = sys.argv[3:]
way: Any = {"runtime": runtime, "number_format": number_format}
encoder = lexel.load(model, **way)
serve(f"lexel {runtime} {number_format}", work, encoder.embed_images, encoder.embed_texts)
