"""Does a model understand how the words of a caption belong together?

In reading order: `luck` (whether a result may be chance), `caption_choices` (one caption of several is true),
`word_order`, `caption_twins` (two images and two captions), `drawn_probes` (twins that Lexel draws), `handwriting`.
"""
