"""Models as files: Lexel's own folders, other libraries' checkpoints, published ones, and exports to ONNX.

In reading order: `model_folder` (what a model of Lexel's is on disk), `hub` (where published checkpoints lie and how
they get here), `formats` (other libraries' files, read and written), `onnx` (export for machines without torch).
"""
