"""`lexel rank`"""

from typing import Annotated

import typer

from lexel.cli.options import Json, Model, NumberFormat, Runtime


def rank(
    model: Model,
    image: Annotated[str, typer.Argument(help="An image file; - reads one from standard input.", show_default=False)],
    captions: Annotated[list[str], typer.Argument(help="Captions to choose among.", show_default=False)],
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Tell which caption fits an image best.

    \b
    Example:
      lexel rank runs/demo/model dog.jpg "a dog on a beach" "a cat on a sofa"
    """
    from lexel.cli.printing import print_json, print_ranking
    from lexel.data.given import given_image
    from lexel.evaluation.ranking import rank_captions
    from lexel.loading import load

    content = given_image(image)
    ranked = rank_captions(load(model, runtime=runtime, number_format=number_format), content, captions)
    if json:
        print_json({"image": image, "captions": [{"caption": c, "probability": p} for c, p in ranked]})
    else:
        print_ranking(ranked)
