"""`lexel rank`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json, Model, NumberFormat, Runtime
from lexel.terminal import one_line


def rank(
    model: Model,
    image: Annotated[
        str, typer.Argument(help="An image file; - reads one from standard input. May be several.", show_default=False)
    ],
    captions: Annotated[list[str], typer.Argument(help="Captions to choose among.", show_default=False)],
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Rank captions by how well they fit an image.

    Percentages compare the captions given; match says how well each fits, whatever the others are.

    \b
    Example:
      lexel rank ViT-B-32/openai dog.jpg "a dog on a beach" "a cat on a sofa"
    """
    from lexel.cli.print_judged import judged_as_json, note_on_percentages, print_judged
    from lexel.cli.printing import print_json
    from lexel.data.image_arguments import image_argument
    from lexel.evaluation.ranking import check_captions, judge_each
    from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
    from lexel.evaluation.texts.long_texts import about_cut_texts
    from lexel.loading import load
    from lexel.progress import say

    more, captions = _split(captions)
    images = {name: image_argument(name) for name in (image, *more)}
    check_captions(captions)
    encoder = load(model, runtime=runtime, number_format=number_format)
    if cut := about_cut_texts(encoder, captions, "captions"):
        say(f"Note: {cut}")
    answers, failed = judge_each(encoder, list(images.values()), captions)
    names = list(images)
    if json:
        found = {i: {"captions": [judged_as_json(text, "caption") for text in judged]} for i, judged in answers.items()}
        errors = {i: {"error": reason} for i, reason in failed.items()}
        results = [{"image": name} | (found | errors)[i] for i, name in enumerate(names)]
        print_json(results[0] if len(results) == 1 else results)
    else:
        for number, judged in answers.items():
            if len(names) > 1:
                print(one_line(names[number]))
            print_judged(judged, len(captions), indent="  " if len(names) > 1 else "")
        if note := note_on_percentages(answers.values(), len(captions), "caption"):
            print(f"Note: {note}")
    if warning := about_drawn_scenes(encoder):
        say(warning)
    for reason in failed.values():
        say(f"lexel rank: cannot read {reason}")
    if failed:
        raise typer.Exit(1)


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The image files at the start, which a shell's *.jpg gives, and the captions after them.

    Raises UsageError for an image file among the captions, and where no caption is left.
    """
    from lexel.data.readers.paths import has_image_extension
    from lexel.errors import UsageError

    def is_image(word: str) -> bool:
        return has_image_extension(word) and (" " not in word or Path(word).is_file())

    count = next((i for i, word in enumerate(words) if not is_image(word)), len(words))
    images, captions = words[:count], words[count:]
    if not captions:
        raise UsageError(
            "No caption was given, only images.\n"
            '  Captions come after the images: lexel rank MODEL dog.jpg "a dog on a beach" "a cat on a sofa"'
        )
    late = next((word for word in captions if has_image_extension(word) and Path(word).is_file()), None)
    if late is not None:
        raise UsageError(f"{late} stands among the captions, but is an image. Give all images before the captions.")
    return images, captions
