"""What is in a source, and what is wrong with it? Every picture is decoded, every caption read. In reading order:

`looks` (each picture decoded once, half a kilobyte kept of it), `captions` (lengths, `scripts`, `language_mix`),
`copies` (the same picture or caption twice, in one source or two), `odd` (which pictures to look at), `spread` (of
numbers), and `facts` (all of it).
"""

from lexel.data.audit.facts import Audit, audit

__all__ = ["Audit", "audit"]
