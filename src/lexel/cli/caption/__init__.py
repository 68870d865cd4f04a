"""`lexel caption`: sentences for pictures, by a decoder that is trained for a model."""

from typing import Any

import typer
from typer.core import TyperGroup

from lexel.cli.caption.evaluate import evaluate
from lexel.cli.caption.images import images
from lexel.cli.caption.train import train


class CaptionGroup(TyperGroup):
    """Takes `lexel caption captioner/ IMAGES` for `lexel caption images captioner/ IMAGES`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["images", *args]
        return super().parse_args(ctx, args)


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
