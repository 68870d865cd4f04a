"""`lexel caption`: sentences for pictures, by a decoder that is trained for a model."""

import typer

from lexel.cli.caption.evaluate import evaluate
from lexel.cli.caption.images import images
from lexel.cli.caption.train import train
from lexel.cli.verb import VerbWithDefault


class CaptionGroup(VerbWithDefault):
    """Takes `lexel caption captioner/ IMAGES` for `lexel caption images captioner/ IMAGES`."""

    DEFAULT = "images"


caption = typer.Typer(
    cls=CaptionGroup,
    help="""Caption pictures with a decoder trained for a model.

    \b
    Example:
      lexel caption train runs/shop/model shop.csv -o captioner/
      lexel caption captioner/ photos/
      lexel caption evaluate captioner/ shop.csv/test
    """,
    no_args_is_help=True,
)
for command in (images, train, evaluate):
    caption.command()(command)
