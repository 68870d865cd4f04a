"""`lexel caption images`, which is also meant where no verb is named"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lexel.cli.caption.options import Beams, CaptionerOrCoCa, CaptionSeed, MovedModel, Nucleus, Samples, Temperature
from lexel.cli.options import Images, Json, checked_file
from lexel.terminal import one_line

if TYPE_CHECKING:
    from lexel.errors import BadImageError
    from lexel.generation.captions.candidates import CaptionedPicture


def images(
    captioner: CaptionerOrCoCa,
    images: Images,
    beams: Beams = 5,
    sample: Samples = 0,
    nucleus: Nucleus = 0.9,
    temperature: Temperature = 1.0,
    seed: CaptionSeed = 0,
    top: Annotated[int, typer.Option("--top", min=1, help="Sentences to show for each picture.")] = 1,
    least: Annotated[
        Literal["strong", "possible", "any"],
        typer.Option("--least", help="How well a sentence has to fit to be said; any: always say the best."),
    ] = "possible",
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write a table: image, caption, match, cosine.",
            show_default=False,
            callback=checked_file,
        ),
    ] = None,
    model: MovedModel = None,
    json: Json = False,
) -> None:
    """Caption images: the sentences that the decoder finds, ordered by the model itself.

    "match" is the probability that picture and sentence belong together, where the model is calibrated; a picture whose
    best sentence matches with less than --least gets no caption.

    \b
    Examples:
      lexel caption captioner/ photos/ --csv captions.csv
      lexel caption captioner/ photo.jpg --sample 10 --top 3 --seed 1
      lexel caption coca_ViT-B-32/laion2b_s13b_b90k photo.jpg
    """
    from lexel.cli.printing import print_json
    from lexel.data.image_arguments import image_arguments
    from lexel.errors import BadImageError
    from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
    from lexel.generation.captions.coca_captioner import open_captioner
    from lexel.generation.captions.search import SearchSettings
    from lexel.progress import say

    pictures = image_arguments(images)
    loaded = open_captioner(captioner, model)
    settings = SearchSettings(beams=beams, samples=sample, nucleus=nucleus, temperature=temperature, seed=seed)
    found = loaded.candidates([image for _, image in pictures], settings, least)
    named = [(name, said) for (name, _), said in zip(pictures, found, strict=True)]
    if csv is not None:
        _write_table(csv, named)
        say(f"Wrote {csv}")
    if json:
        print_json([{"image": name} | _as_json(said, top) for name, said in named])
    elif csv is None:
        for name, said in named:
            if not isinstance(said, BadImageError):
                _print(name, said, top)
    if loaded.encoder.calibration is None:
        say("Note: the model is not calibrated, so how well a caption fits is not known: lexel models calibrate")
    if warning := about_drawn_scenes(loaded.encoder):
        say(warning)
    failed = [(name, said) for name, said in named if isinstance(said, BadImageError)]
    for name, reason in failed:
        say(f"lexel caption: cannot read {name}: {reason}")
    if failed:
        raise typer.Exit(1)


def _print(name: str, said: "CaptionedPicture", top: int) -> None:
    if not said.fits:
        best = said.candidates[0]
        print(f"{one_line(name)}: no caption fits (best: {one_line(best.text)}, match {best.match or 0:.0%})")
        return
    for number, candidate in enumerate(said.candidates[:top]):
        match = "" if candidate.match is None else f"   match {candidate.match:.0%}"
        head = f"{one_line(name)}: " if number == 0 else "    "
        print(f"{head}{one_line(candidate.text)}{match}")


def _as_json(said: "CaptionedPicture | BadImageError", top: int) -> dict[str, object]:
    from dataclasses import asdict

    from lexel.errors import BadImageError

    if isinstance(said, BadImageError):
        return {"error": str(said)}
    return {"caption": said.caption, "candidates": [asdict(one) for one in said.candidates[:top]]}


def _write_table(path: Path, named: "list[tuple[str, CaptionedPicture | BadImageError]]") -> None:
    from lexel.errors import BadImageError
    from lexel.files import write_atomically

    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "caption", "match", "cosine", "error"])
    for name, said in named:
        if isinstance(said, BadImageError):
            writer.writerow([name, "", "", "", str(said)])
        else:
            best = said.candidates[0]
            match = "" if best.match is None else f"{best.match:.4f}"
            writer.writerow([name, said.caption or "", match, f"{best.cosine:.4f}", ""])
    write_atomically(path, text.getvalue())
