"""A short hash of a test set, by which reports are known to be about the same examples."""

import hashlib
import json

from lexel.data.pairs import Source
from lexel.evaluation.published.probe_source import ProbeSource


def source_fingerprint(source: Source) -> str:
    """A short hash of the keys, captions and labels: equal for equal test sets, whatever they are called."""
    digest = hashlib.sha256()
    for pair in source.pairs:
        digest.update(json.dumps([pair.key, pair.captions, pair.label], ensure_ascii=False).encode() + b"\n")
    if isinstance(source, ProbeSource):
        for choice in source.choices:
            asked = [choice.key, choice.caption, choice.wrong, choice.kind, choice.detail]
            digest.update(json.dumps(asked, ensure_ascii=False).encode() + b"\n")
        for twin in source.twins:
            digest.update(json.dumps([twin.keys, twin.captions, twin.kind], ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:12]
