"""More languages: retrieval language by language, before and after a text tower has learned from parallel captions.

    python benchmarks/languages.py runs/everyday/model .data --output runs/languages --steps 1500

MODEL is trained on English. The sentences are those of Multi30k (German, French, Czech), of Flickr8k (Arabic, Hindi)
and the names of four fifths of the emoji in 23 languages; no sentence of a picture of `flickr8k_part`'s val and test
splits is among them. Measured: the test split of Flickr8k, and the other emoji, by name, in a drawing style that MODEL
has not seen. The run itself looks at val alone. The same command again goes on where it was cut off.
"""

import argparse
import gzip
import hashlib
import json
from collections import defaultdict
from pathlib import Path

import lexel
from lexel.data.pairs import ImageFile, Pair, Source
from lexel.evaluation.evaluate import evaluate

CAPTIONED = ("de", "fr", "cs", "ar", "hi")
NAMED = ("de", "fr", "es", "it", "pt", "nl", "pl", "ru", "uk", "tr", "ar", "hi")
NAMED += ("bn", "zh", "ja", "ko", "vi", "id", "sv", "el", "he", "fa", "sw")
Row = dict[str, list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="runs/everyday/model")
    parser.add_argument(
        "data", nargs="?", type=Path, default=Path(".data"), help="with flickr8k_part, emoji_styles and text_assets"
    )
    parser.add_argument("--output", type=Path, default=Path("runs/languages"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rows", type=int, help="so many rows of Multi30k; default: all")
    arguments = parser.parse_args()
    data, output = arguments.data, arguments.output
    if missing := [path for path in (Path(arguments.model), data / "text_assets") if not path.exists()]:
        print(f"{missing[0]} is not there: nothing to measure.")
        return
    output.mkdir(parents=True, exist_ok=True)
    sentences = output / "sentences.jsonl"
    rows = [*multi30k(data)[: arguments.rows], *flickr8k(data), *emoji_names(data)]
    sentences.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    languages = list(dict.fromkeys((*CAPTIONED, *NAMED)))
    changes = [
        f"model.image_weights={arguments.model}",
        "freeze.image=true",
        f"languages.columns={json.dumps(languages)}",
        f"evaluation.source={data / 'flickr8k_part' / 'val'}",
        f"steps={arguments.steps}",
        f"batch_size={arguments.batch}",
        "data.workers=0",
    ]
    run = lexel.train(str(sentences), output / "run", changes=changes)
    before, after = lexel.load(arguments.model), lexel.load(run.model)
    print(f"{run.training_seconds:,.0f} s of training on {len(rows):,} rows")
    test = str(data / "flickr8k_part" / "test")
    table("Flickr8k, test", before, after, test, ("en", *CAPTIONED))
    table("Emoji that were not learned from, by name", before, after, unseen_emoji(data), ("en", *NAMED))


def table(title: str, before: lexel.Encoder, after: lexel.Encoder, source: Source | str, languages: tuple) -> None:
    """Share of captions whose picture is the first, and among the first ten, of both models, with 95 % intervals."""
    found = [
        evaluate(encoder, source, tasks=["retrieval"], languages=languages).sources[0].metrics
        for encoder in (before, after)
    ]
    print(f"\n{title}: caption → image, before and after, in %")
    print(f"{'':>4}{'recall@1':>10}{'':>10}{'interval':>14}{'recall@10':>11}{'':>10}{'chance':>15}")
    for language in languages:
        first, ten = ([m[f"languages/{language}/text_to_image/recall@{k}"] for m in found] for k in (1, 10))
        bounds = f"{100 * first[1].low:.1f}–{100 * first[1].high:.1f}"
        print(
            f"{language:>4}{100 * first[0].value:>10.1f}{100 * first[1].value:>10.1f}{bounds:>14}"
            f"{100 * ten[0].value:>11.1f}{100 * ten[1].value:>10.1f}"
            f"{100 * (first[0].chance or 0):>8.1f} / {100 * (ten[0].chance or 0):.1f}"
        )


def kept_apart(data: Path) -> set[str]:
    """The numbers of the pictures that are measured on, which Flickr8k and Flickr30k share."""
    lines = (data / "flickr8k_part" / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    apart = {row["file_name"].partition("_")[0] for row in rows if row["split"] != "train"}
    texts = data / "text_assets" / "flickr8k_text"
    for name in ("dev", "test"):
        listed = (texts / f"Flickr_8k.{name}Images.txt").read_text().split()
        apart |= {picture.partition("_")[0] for picture in listed}
    return apart


def multi30k(data: Path) -> list[Row]:
    """A sentence in four languages in each row."""
    folder, apart = data / "text_assets" / "multi30k" / "task1", kept_apart(data)
    pictures = (folder / "image_splits" / "train.txt").read_text().split()
    columns = {
        language: gzip.decompress((folder / "raw" / f"train.{language}.gz").read_bytes()).decode().splitlines()
        for language in ("en", "de", "fr", "cs")
    }
    return [
        {language: [sentences[number]] for language, sentences in columns.items()}
        for number, picture in enumerate(pictures)
        if picture.partition(".")[0] not in apart
    ]


def flickr8k(data: Path) -> list[Row]:
    """The captions of a picture in each row: five in English, up to three in Arabic, one in Hindi."""
    folder, apart = data / "text_assets" / "flickr8k_text", kept_apart(data)
    found: dict[str, Row] = defaultdict(lambda: defaultdict(list))
    for language, file, mark in (
        ("en", "Flickr8k.token.txt", "\t"),
        ("ar", "Flickr8k.arabic.full.txt", "\t"),
        ("hi", "hindi_Clean-1Sentences.txt", " "),
    ):
        for line in (folder / file).read_text(encoding="utf-8").splitlines():
            picture, _, sentence = line.partition(mark)
            if sentence.strip():
                found[picture.partition(".")[0]][language].append(sentence.strip())
    return [dict(row) for name, row in found.items() if "en" in row and name.partition("_")[0] not in apart]


def is_apart(emoji: str) -> bool:
    """One emoji of five, by its hash."""
    return hashlib.blake2b(emoji.encode(), digest_size=1).digest()[0] % 5 == 0


def names(data: Path) -> dict[str, dict[str, str]]:
    return json.loads((data / "emoji_styles" / "names_multilingual.json").read_text(encoding="utf-8"))


def emoji_names(data: Path) -> list[Row]:
    return [
        {language: [name] for language, name in of_emoji.items() if name}
        for emoji, of_emoji in names(data).items()
        if not is_apart(emoji) and of_emoji.get("en")
    ]


def unseen_emoji(data: Path) -> Source:
    """The emoji of which no name was learned from, as a third style draws them."""
    folder, known = data / "emoji_styles", names(data)
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [
        Pair(row["file_name"], ImageFile(folder / row["file_name"]), tuple(row["captions"]), extras=known[row["emoji"]])
        for row in map(json.loads, lines)
        if row["split"] == "val" and row["emoji"] in known and is_apart(row["emoji"])
    ]
    return Source("unseen emoji", pairs)


if __name__ == "__main__":
    main()
