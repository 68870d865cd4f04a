"""`lexel guide`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json, Model
from lexel.cli.verb import RARE
from lexel.terminal import one_line


def guide(
    model: Model,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write it: .png, .webp, .jpg or, of strokes, .svg.",
            show_default=False,
        ),
    ],
    text: Annotated[str | None, typer.Argument(help="What the picture should show.", show_default=False)] = None,
    generator: Annotated[
        str, typer.Option("--with", metavar="NAME", help="What is steered: strokes, pixels or painter.")
    ] = "strokes",
    painter: Annotated[
        Path | None,
        typer.Option("--painter", metavar="FOLDER", help="The painter, for --with painter.", show_default=False),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option("--like", metavar="IMAGE", help="A picture that it should be like.", show_default=False),
    ] = None,
    change: Annotated[
        tuple[str, str] | None,
        typer.Option("--change", metavar="FROM TO", help="A change, as from one text to another.", show_default=False),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="IMAGE", help="The picture to begin with.", show_default=False)
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            "--judge", metavar="MODEL", help="Another model, to say whether the result shows it.", show_default=False
        ),
    ] = None,
    film: Annotated[
        Path | None, typer.Option("--film", metavar="FILE", help="Write the way there as a GIF.", show_default=False)
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="How many steps.")] = 300,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")] = 0,
    json: Json = False,
    strokes: Annotated[int, typer.Option("--strokes", min=1, help="How many strokes.", rich_help_panel=RARE)] = 64,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="PIXELS",
            help="Side of the picture that is steered; by default what the model sees.",
            show_default=False,
            rich_help_panel=RARE,
        ),
    ] = None,
    views: Annotated[
        int, typer.Option("--views", min=1, help="Random views of the picture in a step.", rich_help_panel=RARE)
    ] = 16,
    pull: Annotated[
        float | None,
        typer.Option(
            "--pull",
            min=0,
            help="Pull towards the start; 0.1 with --start, else 0.",
            show_default=False,
            rich_help_panel=RARE,
        ),
    ] = None,
    distractors: Annotated[
        Path | None,
        typer.Option(
            "--distractors",
            metavar="FILE",
            help="Texts, one a line, to rank the text among.",
            show_default=False,
            rich_help_panel=RARE,
        ),
    ] = None,
) -> None:
    """Steer a generator of pictures until the model sees in them what is wanted.

    Strokes are drawn by Bézier curves and can be written as SVG. The model's own score of the result is flattered; give
    --judge a model that was trained independently. Ctrl-C keeps what is there so far.

    \b
    Example:
      lexel guide runs/shop/model "a lighthouse" -o out.svg --film way.gif
    """
    from lexel.cli.printing import print_json
    from lexel.data.image_arguments import image_argument
    from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
    from lexel.evaluation.texts.long_texts import about_cut_texts
    from lexel.generation.guidance.choose import check_name
    from lexel.generation.guidance.goals import Wish
    from lexel.generation.guidance.guide import guide as steer
    from lexel.generation.guidance.output import check_film_file, check_picture_file
    from lexel.generation.guidance.scores import read_distractors
    from lexel.loading import load
    from lexel.progress import say

    check_picture_file(output, is_vectorial=check_name(generator, has_painter=painter is not None) == "strokes")
    if film is not None:
        check_film_file(film)
    wish = Wish(text, None if like is None else image_argument(like), change)
    wish.check()
    begin = None if start is None else image_argument(start)
    others = None if distractors is None else read_distractors(distractors)
    encoder = load(model)
    if cut := about_cut_texts(encoder, wish.texts(), "texts"):
        say(f"Note: {cut}")
    made = steer(
        encoder,
        wish.text,
        generator=generator,
        like=wish.like,
        change=wish.change,
        start=begin,
        judge=None if judge is None else load(judge),
        steps=steps,
        seed=seed,
        size=size,
        strokes=strokes,
        painter=painter,
        distractors=others,
        film=film is not None,
        views=views,
        **({} if pull is None else {"pull": pull}),
    )
    made.save(output)
    say(
        f"Stopped after {made.steps:,} of {steps:,} steps; wrote {output} as it is."
        if made.stopped
        else f"Wrote {output}"
    )
    if film is not None:
        made.save_film(film)
        say(f"Wrote {film}")
    if json:
        print_json({"output": str(output), "with": generator, "seed": seed} | made.as_json())
    else:
        for role, scores in (("guiding", made.guiding), ("judge", made.judge)):
            if scores is not None:
                print(f"{role:<8} {one_line(scores.model)}")
                for line in scores.lines():
                    print(f"         {one_line(line)}")
        if made.judge is None:
            print("The guiding model's own score is flattered. --judge MODEL asks another one.")
    if warning := about_drawn_scenes(encoder):
        say(warning)
