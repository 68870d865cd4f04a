"""Which pictures does Lexel make itself to measure a model?

In reading order: `corruptions` (damage at five strengths), `drawn_twins` (scenes in which one thing differs).
"""
