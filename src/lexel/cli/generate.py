"""`lexel generate`: pictures from words and vectors, and the training of what draws them."""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Html, Json, Model, NumberFormat, Runtime, Set
from lexel.cli.verb import RARE, VerbWithTraining
from lexel.terminal import one_line

generate = typer.Typer(
    cls=VerbWithTraining, no_args_is_help=True, help="Draw pictures from words, or like other pictures."
)

Painter = Annotated[
    Path,
    typer.Argument(
        metavar="PAINTER",
        help="A painter's folder, or a local folder of diffusers' unCLIP kind.",
        show_default=False,
    ),
]


@generate.command(name=VerbWithTraining.DEFAULT, hidden=True)
def draw(
    painter: Painter,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="What to draw.", show_default=False)] = None,
    like: Annotated[
        str | None, typer.Option(metavar="PICTURE", help="Draw variations of this picture.", show_default=False)
    ] = None,
    change: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="BEFORE AFTER",
            help="Change the --like picture as from one text to the other, such as red blue.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="A", help="Draw what lies between A, a picture or text …", show_default=False),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="B", help="… and B, a picture or text.", show_default=False)
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Pictures; the default is 8, for --change 1.", show_default=False)
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Keep only so many, the best by CLIP.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")] = 0,
    size: Annotated[
        int | None, typer.Option(min=1, help="Pixels; refused where the painter has others.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, help="From noise to picture: more are slower and finer.", show_default=False),
    ] = None,
    guidance: Annotated[
        float | None,
        typer.Option(
            min=0, help="How strictly to follow the vector: 1 as learned, more is stricter.", show_default=False
        ),
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="How far --change goes, above 0 and at most 1.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Write the pictures as PNG into it.", show_default=False),
    ] = None,
    strip: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one .png, side by side, or one .gif.", show_default=False),
    ] = None,
    html: Html = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Where the painter's CLIP lies now.",
            show_default=False,
            rich_help_panel=RARE,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Draw pictures of a text, variations of a picture, what lies between two, or a picture changed by words.

    Pictures of a text and variations come best first, by the cosine with what was asked. Train a painter with
    lexel generate train.

    \b
    Examples:
      lexel generate painter/ "two red stars on grass" --count 8 --seed 1 --html sheet.html
      lexel generate painter/ --like photo.png -o variations/
      lexel generate painter/ --from photo.png --to "a blue ring" --count 12 --strip way.gif
      lexel generate painter/ --like photo.png --change red blue --count 4 --strip change.png
    """
    from lexel.cli.printing import print_json
    from lexel.generation.pictures.open_painter import open_painter
    from lexel.generation.pictures.request import Request
    from lexel.generation.pictures.sheet import check_folder, check_strip, write_pictures, write_sheet, write_strip
    from lexel.progress import say

    request = Request(text, like, change, start, end, count, keep, seed, size, steps, guidance, strength)
    request.check()
    if output is not None:
        check_folder(output)
    if strip is not None:
        check_strip(strip)
    opened = open_painter(painter, model, request)
    drawn = request.answer(opened)
    files = write_pictures(output, drawn) if output is not None else [None] * len(drawn)
    if strip is not None:
        write_strip(strip, drawn)
    if html is not None:
        write_sheet(html, drawn, asked=request.described(), model=opened.space.name, seed=seed)
    for written in filter(None, (output, strip, html)):
        say(f"Wrote {written}")
    if json:
        shown = [
            {"score": picture.score, "number": picture.number, "share": picture.share, "file": file and str(file)}
            for picture, file in zip(drawn, files, strict=True)
        ]
        print_json({"painter": str(painter), "asked": request.described(), "seed": seed, "pictures": shown})
        return
    for picture, file in zip(drawn, files, strict=True):
        place = f"number {picture.number}" if picture.share is None else f"{picture.share:4.0%} of the way"
        print(f"score {picture.score:.3f}  {place}" + (f"  {one_line(str(file))}" if file else ""))
    if not any((output, strip, html)):
        say("Nothing was written. Add --html sheet.html, -o FOLDER or --strip FILE to see the pictures.")


@generate.command()
def train(
    model: Model,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Pictures with captions or labels.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="The painter's folder.", show_default=False)
    ],
    size: Annotated[
        int | None, typer.Option(min=1, help="Pixels of its pictures; the default is 32.", show_default=False)
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Steps of the decoder's training.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all that is random.", show_default=False)] = None,
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings of both parts, as TOML.", show_default=False)
    ] = None,
    changes: Set = None,
    device: Annotated[
        str | None, typer.Option(help="As torch names it; default: a GPU where there is one.", show_default=False)
    ] = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Train a painter for a model: a prior from texts to picture vectors, and a decoder from those to pixels.

    The same command goes on where it was cut off. docs/generation.md has the settings of a recipe.

    \b
    Example:
      lexel generate train runs/shop/model photos/ -o painter/ --size 64 --steps 20000
    """
    from lexel.cli.printing import print_json
    from lexel.data.readers import read_source
    from lexel.evaluation.evaluation_cache import default_cache
    from lexel.generation.pictures.recipe import PainterRecipe
    from lexel.generation.pictures.training import train_painter
    from lexel.loading import load
    from lexel.progress import duration

    given = {"decoder.size": size, "decoder_learning.steps": steps, "seed": seed}
    flags = [f"{field}={value}" for field, value in given.items() if value is not None]
    chosen = PainterRecipe.build(recipe, [*(changes or []), *flags])
    pairs = read_source(source)
    encoder = load(model, runtime=runtime, number_format=number_format)
    facts = train_painter(encoder, pairs, output, chosen, cache=default_cache(), device=device)
    if json:
        print_json(facts.model_dump(mode="json"))
        return
    side = facts.recipe.decoder.size
    print(f"The painter is in {output}: {side} × {side} pixels, trained on {facts.pairs:,} pictures")
    print(f"  prior {duration(facts.seconds['prior'])}, decoder {duration(facts.seconds['decoder'])} in steps")
    print(f'Draw: lexel generate {output} "TEXT" --html sheet.html')
