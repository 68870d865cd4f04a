"""Labels that say more than one name: several labels of one image, or a path from the general to the special."""

import re
from collections import Counter
from collections.abc import Sequence

SEPARATORS = re.compile(r"\s*[,;|]\s*")  # between the labels of one image; lists in tables are joined by commas
STEPS = re.compile(r"\s*(?:/|>)\s*")  # between the levels of a hierarchy


def label_parts(label: str) -> list[str]:
    """The labels in "dog, cat" or "dog; cat", each once, in order."""
    return list(dict.fromkeys(part for part in SEPARATORS.split(label.strip()) if part))


def holds_several_labels(labels: Sequence[str]) -> bool:
    """Whether these distinct labels are lists of labels: most names in the lists also occur in other labels.

    `["dog, cat", "dog", "cat, bird, dog"]` are; `["Paris, France", "Rome, Italy"]` are names with commas.
    """
    lists = [label_parts(label) for label in labels]
    found = Counter(part for parts in lists for part in parts)
    within = {part for parts in lists if len(parts) > 1 for part in parts}
    return bool(within) and 2 * sum(found[part] > 1 for part in within) >= len(within)


def label_path(label: str) -> tuple[str, ...]:
    """The levels of "animal/dog" or "animal > dog", the most general first."""
    return tuple(part for part in STEPS.split(label.strip()) if part)


def is_hierarchy(labels: Sequence[str]) -> bool:
    """Whether these distinct labels are paths: most have several levels, and some two share the first."""
    paths = [label_path(label) for label in labels]
    deep = [path for path in paths if len(path) > 1]
    tops = Counter(path[0] for path in deep)
    return 2 * len(deep) > len(paths) and len(tops) > 1 and max(tops.values()) > 1
