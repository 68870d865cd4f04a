"""How does a vector of the shared space become a sentence?

In reading order: `captioner` (pictures in, sentences out) with `candidates` (sentences in CLIP's order), `decoder`
(the Transformer), `search` (beam search and nucleus sampling), `memory` (texts that pictures are projected onto),
`training` with `settings` and `sentences` (texts without pictures), `folder` (how a captioner is stored), `coca` and
`coca_captioner` (the decoder that CoCa checkpoints bring), `metrics` (how good captions are), `evaluate` (beside
baselines).
"""
