"""Which public probes of what CLIP is bad at can be measured, from the files in which they are published?

In reading order: `probe_source` (images with captions of which one is true), `annotations` (rows and their pictures on
the disk), `winoground`, `sugarcrepe`, `aro`, `clevr`, `own_choices` (a table of one's own), `reading` (any source
by its name).
"""
