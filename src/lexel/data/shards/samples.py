"""What the members of one sample mean: which is the picture, which the captions, the label, the key.

A member is named KEY.EXTENSION, where the extension is all that follows the first dot, as WebDataset has it. `.txt` is
one caption. `.json` is an object with captions in one of the usual fields, as img2dataset writes it. `.cls` is a label.
A `.json` with `pair_key` was written by `lexel data prepare`: it holds the pair's own key, all its captions, its label.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lexel.data.readers.paths import IMAGE_EXTENSIONS
from lexel.data.readers.tables.caption_columns import CaptionColumns, Captions, Template, caption_columns
from lexel.data.readers.tables.column_names import WEIGHTS_COLUMN
from lexel.data.readers.tables.values import MAX_CAPTION_CHARACTERS, NotTextError, captions_in, label_in, weights_in

CAPTION_EXTENSIONS = ("txt", "caption", "text")
LABEL_EXTENSIONS = ("cls", "label")
JSON_LABEL_FIELDS = ("label", "class_name", "class", "category")
PAIR_KEY = "pair_key"
OWN_FIELDS = (PAIR_KEY, "captions", WEIGHTS_COLUMN, "label", "width", "height")  # of a .json that was packed
MAX_TEXT_BYTES = 16 << 20  # of a .txt or .json; a larger one is passed over
EXAMPLES = 3  # keys that are named of each problem
MAX_NAMES = 40  # of fields and of members that are told to the user
NAMED_VERSION = 2  # of the index that is made where fields are named; kept ones of before are made again


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that the user named: of the `.json`, or an extension such as txt. None: the usual ones."""

    caption: Captions = None
    label: str | None = None
    image: str | None = None  # the extension of the picture

    def __str__(self) -> str:
        caption = self.caption
        if isinstance(caption, Mapping):
            caption = dict(caption)
        elif caption is not None and not isinstance(caption, str):
            caption = list(caption)
        return json.dumps([caption, self.label, self.image, *([NAMED_VERSION] if self.names else [])])

    @property
    def names(self) -> list[str]:
        """All that the user named: fields, extensions and templates."""
        captions = [self.caption] if isinstance(self.caption, str) else list(self.caption or ())
        return [name for name in (*captions, self.label, self.image) if name is not None]


@dataclass(slots=True)
class FieldUse:
    """What the samples of a shard have, and what of the named fields was found in any of them."""

    members: dict[str, None] = field(default_factory=dict)  # extensions, in the order in which they come
    fields: dict[str, None] = field(default_factory=dict)  # of the .json
    used: set[str] = field(default_factory=set)

    def see(self, names: Iterable[str], known: dict[str, None]) -> None:
        """Take note of names, up to a number that can be shown."""
        if len(known) < MAX_NAMES:
            known.update(dict.fromkeys(names))

    def to_json(self) -> dict[str, list[str]]:
        return {"members": list(self.members), "fields": list(self.fields), "used": sorted(self.used)}


@dataclass(slots=True)
class Problems:
    """What is wrong with the samples of a shard, by kind: how many, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, key: str, count: int = 1) -> None:
        self.counts[kind] += count
        if len(self.examples[kind]) < EXAMPLES:
            self.examples[kind].append(key)

    def merge(self, other: Mapping[str, tuple[int, Sequence[str]]], prefix: str) -> None:
        """Take up those of one shard, as `to_json` gives them."""
        for kind, (count, examples) in other.items():
            self.counts[kind] += count
            room = EXAMPLES - len(self.examples[kind])
            self.examples[kind] += [f"{prefix}/{key}" for key in examples[: max(0, room)]]

    def to_json(self) -> dict[str, tuple[int, list[str]]]:
        return {kind: (count, self.examples[kind]) for kind, count in self.counts.items()}

    def notes(self) -> list[str]:
        """A line for each kind."""
        return [
            f"{kind}: {count:,}, such as {', '.join(self.examples[kind])}" for kind, count in self.counts.most_common()
        ]


@dataclass(frozen=True, slots=True)
class SampleText:
    """What is said of a picture."""

    captions: list[str]
    label: str | None
    pair_key: str | None = None
    weights: tuple[float, ...] = ()  # of the captions; none: equal ones


def picture_member(extensions: Sequence[str], fields: Fields) -> str | None:
    """The extension of the member that is the picture: the one that was named, else the first that can be one."""
    if fields.image is not None:
        return fields.image if fields.image in extensions else None
    whole = [extension for extension in extensions if extension in IMAGE_EXTENSIONS]
    parts = [extension for extension in extensions if extension.rpartition(".")[2] in IMAGE_EXTENSIONS]
    return next(iter([*whole, *parts]), None)


def is_text(extension: str, fields: Fields) -> bool:
    """Whether a member is read for what it says."""
    named = {fields.label, *([fields.caption] if isinstance(fields.caption, str) else fields.caption or ())}
    return extension == "json" or extension in CAPTION_EXTENSIONS or extension in LABEL_EXTENSIONS or extension in named


def read_text(
    key: str, members: Mapping[str, bytes], fields: Fields, problems: Problems, use: FieldUse | None = None
) -> SampleText:
    """Captions and label of a sample from the content of its text members, by extension. What is wrong is noted."""
    use = FieldUse() if use is None else use
    texts = {name: _decoded(key, content, problems) for name, content in members.items() if name != "json"}
    stored = _object(key, members["json"], problems) if "json" in members else {}
    use.see(stored, use.fields)
    try:
        captions, weights = _captions(texts, stored, fields, use)
    except NotTextError:
        problems.add("samples whose caption is not a text", key)
        captions, weights = [], ()
    try:
        label = _label(texts, stored, fields)
    except NotTextError:
        problems.add("samples whose label is not a name", key)
        label = None
    if label is not None and fields.label is not None:
        use.used.add(fields.label)
    pair_key = stored.get(PAIR_KEY)
    return SampleText(
        [_cut(key, caption, problems) for caption in captions],
        label,
        pair_key if isinstance(pair_key, str) and pair_key else None,
        weights,
    )


def json_object(content: bytes) -> dict[str, Any]:
    """The object in a `.json` member, empty where it holds none."""
    try:
        stored = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _captions(
    texts: Mapping[str, str], stored: Mapping[str, Any], fields: Fields, use: FieldUse
) -> tuple[list[str], tuple[float, ...]]:
    """The captions of a sample, and their weights."""
    if fields.caption is not None:
        row = {**stored, **texts}
        rules = _rules(fields.caption, row)
        said = [_by_rule(rule, row) for rule in rules.rules] if rules else []
        use.used.update(
            str(rule.text if isinstance(rule, Template) else rule)
            for rule, of_rule in zip(rules.rules if rules else (), said, strict=True)
            if of_rule
        )
        origins = [number for number, of_rule in enumerate(said) for _ in of_rule]
        return [caption for of_rule in said for caption in of_rule], rules.weigh(origins) if rules else ()
    if PAIR_KEY in stored:  # not searched for missing values: the pair's captions are what they are
        listed = stored.get("captions")
        captions = [caption for caption in listed if isinstance(caption, str)] if isinstance(listed, list) else []
        return captions, weights_in(stored.get(WEIGHTS_COLUMN), len(captions)) or ()
    for extension in CAPTION_EXTENSIONS:
        if extension in texts:
            return [text] if (text := texts[extension].strip()) else [], ()
    return captions_in(stored, Counter(), typed=True) if stored else [], ()


def _rules(named: Captions, row: Mapping[str, Any]) -> CaptionColumns | None:
    """The fields and templates that this sample has: samples need not have the same fields."""
    given = [named] if isinstance(named, str) else list(named or ())
    known = [one for one in given if "{" in one or one in row]
    weights = {one: named[one] for one in known} if isinstance(named, Mapping) else None
    columns = list(row)
    for one in known:
        columns += [name for name in _names_in(one) if name not in row]
    return caption_columns(weights or known, columns, "shards") if known else None


def _names_in(template: str) -> list[str]:
    from string import Formatter

    try:
        return [name for _, name, _, _ in Formatter().parse(template) if name]
    except ValueError:
        return []


def _by_rule(rule: str | Template, row: Mapping[str, Any]) -> list[str]:
    if isinstance(rule, Template):
        text = rule.fill({column: row.get(column) for column in rule.columns})
        return [text] if text else []
    return captions_in(row[rule], Counter(), typed=True)


def _label(texts: Mapping[str, str], stored: Mapping[str, Any], fields: Fields) -> str | None:
    if fields.label is not None:
        return label_in(texts.get(fields.label, stored.get(fields.label)), Counter())
    if PAIR_KEY in stored:
        return stored.get("label") if isinstance(stored.get("label"), str) else None
    for extension in LABEL_EXTENSIONS:
        if extension in texts:
            return texts[extension].strip() or None
    for name in JSON_LABEL_FIELDS:
        if stored.get(name) is not None:
            return label_in(stored[name], Counter())
    return None


def _decoded(key: str, content: bytes, problems: Problems) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems.add("texts that are not UTF-8, their broken bytes read as �", key)
        return content.decode("utf-8-sig", "replace")


def _object(key: str, content: bytes, problems: Problems) -> dict[str, Any]:
    try:
        stored = json.loads(content)
    except UnicodeDecodeError:
        problems.add("texts that are not UTF-8, their broken bytes read as �", key)
        try:
            stored = json.loads(content.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            stored = None
    except (ValueError, RecursionError):
        stored = None
    if not isinstance(stored, dict):
        problems.add(".json members that are not objects", key)
        return {}
    return stored


def _cut(key: str, caption: str, problems: Problems) -> str:
    # Half a surrogate pair, which JSON can spell, is no character and cannot be stored.
    caption = caption.encode("utf-8", "replace").decode()
    if len(caption) <= MAX_CAPTION_CHARACTERS:
        return caption
    problems.add(f"captions over {MAX_CAPTION_CHARACTERS:,} characters, cut there", key)
    return caption[:MAX_CAPTION_CHARACTERS]
