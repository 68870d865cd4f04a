"""The options that mean the same in every verb of `lexel caption`."""

from pathlib import Path
from typing import Annotated

import typer

CaptionerFolder = Annotated[
    Path,
    typer.Argument(metavar="CAPTIONER", help="A folder that lexel caption train has made.", show_default=False),
]
CaptionerOrCoCa = Annotated[
    str,
    typer.Argument(
        metavar="CAPTIONER",
        help="A folder that lexel caption train has made, or a CoCa checkpoint of OpenCLIP.",
        show_default=False,
    ),
]
MovedModel = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="MODEL", help="Where the captioner's model lies now, if it has moved.", show_default=False
    ),
]
Beams = Annotated[int, typer.Option("--beams", min=1, help="Sentences that are followed at once for each picture.")]
Samples = Annotated[
    int,
    typer.Option(
        "--sample",
        metavar="N",
        min=0,
        help="Draw N sentences for each picture in place of beam search.",
        show_default=False,
    ),
]
Nucleus = Annotated[
    float,
    typer.Option(
        "--nucleus",
        metavar="SHARE",
        min=0.01,
        max=1.0,
        help="With --sample: draw from the likeliest words that have this share.",
    ),
]
Temperature = Annotated[
    float, typer.Option("--temperature", min=0.01, help="With --sample: above 1 more varied, below 1 safer.")
]
CaptionSeed = Annotated[int, typer.Option("--seed", min=0, help="Seed of what is drawn.")]
