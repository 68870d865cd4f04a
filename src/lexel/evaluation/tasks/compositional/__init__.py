"""Does a model understand how the words of a caption belong together?

In reading order: `drawn_probes` (scenes that Lexel draws).
"""
