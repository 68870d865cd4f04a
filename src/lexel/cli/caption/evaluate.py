"""`lexel caption evaluate`"""

from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.caption.options import Beams, CaptionerFolder, MovedModel
from lexel.cli.options import Json, NoCache

if TYPE_CHECKING:
    from lexel.generation.captions.evaluate import CaptionReport


def evaluate(
    captioner: CaptionerFolder,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Pictures with captions to compare with.", show_default=False)
    ],
    beams: Beams = 5,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="A,B…|FILE",
            help='What "a photo of LABEL" chooses among; default: the labels of the source, or common words.',
            show_default=False,
        ),
    ] = None,
    model: MovedModel = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Measure a captioner on captioned pictures, beside the nearest caption that it has learned from, the commonest
    caption, and "a photo of LABEL".

    BLEU-4, ROUGE-L and CIDEr-D compare with the pictures' own captions; CLIPScore and RefCLIPScore are the captioner's
    own model's opinion, which flatters it.

    \b
    Example:
      lexel caption evaluate captioner/ shop.csv/test
    """
    from lexel.cli.printing import print_json
    from lexel.data.readers import read_source
    from lexel.evaluation.evaluation_cache import default_cache
    from lexel.evaluation.texts.labels import read_labels
    from lexel.generation.captions.captioner import Captioner
    from lexel.generation.captions.evaluate import evaluate_captioner
    from lexel.generation.captions.search import SearchSettings
    from lexel.progress import say

    named = read_labels(labels) if labels else None
    pairs = read_source(source, prefer=("test", "val"))
    for note in pairs.notes:
        say(note)
    loaded = Captioner.load(captioner, model)
    cache = None if no_cache else default_cache()
    report = evaluate_captioner(loaded, pairs, settings=SearchSettings(beams=beams), labels=named, cache=cache)
    if json:
        print_json(_as_json(report))
    else:
        _print(report)


def _print(report: "CaptionReport") -> None:
    from lexel.generation.captions.evaluate import NAMES

    width = max(len(one.way) for one in report.ways)
    print(f"{report.source}: {report.pictures:,} pictures with {report.references:.1f} captions each")
    print(" " * width + "".join(f"{name:>14}" for name in NAMES))
    for one in report.ways:
        print(f"{one.way:<{width}}" + "".join(f"{one.scores[name].value:>14.3f}" for name in NAMES))
    cider = [one.scores["CIDEr-D"] for one in report.ways]
    print("95 % intervals of CIDEr-D, from the top:", end=" ")
    print("; ".join(f"{one.interval[0]:.3f} to {one.interval[1]:.3f}" for one in cider if one.interval))
    if report.unsaid is not None:
        print(f"Of {report.unsaid:.1%} of the pictures it would say nothing, as no sentence fits well enough.")
    print(f'Labels of "a photo of LABEL": {report.labels}.')


def _as_json(report: "CaptionReport") -> dict[str, object]:
    return {
        "source": report.source,
        "pictures": report.pictures,
        "references": report.references,
        "unsaid": report.unsaid,
        "labels": report.labels,
        "ways": [
            {
                "way": one.way,
                **{
                    name: {"value": score.value, "interval": score.interval and list(score.interval)}
                    for name, score in one.scores.items()
                },
            }
            for one in report.ways
        ],
    }
