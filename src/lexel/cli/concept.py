"""`lexel concept`: concepts learned from examples, for `lexel filter`."""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json, NumberFormat, Runtime, chosen_model
from lexel.terminal import counted

concept = typer.Typer(help="Learn concepts from examples, for lexel filter.", no_args_is_help=True)


@concept.callback()
def _concept() -> None: ...


@concept.command()
def train(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the concept, such as memes.", show_default=False)
    ],
    yes: Annotated[
        str, typer.Option(metavar="FOLDER", help="Examples with it: a folder or source.", show_default=False)
    ],
    no: Annotated[
        str, typer.Option(metavar="FOLDER", help="Examples without it: a folder or source.", show_default=False)
    ],
    model: Annotated[
        str, typer.Option(metavar="MODEL", help="The model whose embeddings are used.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="The folder to write the concept into.", show_default=False
        ),
    ],
    false_positives: Annotated[
        float, typer.Option(metavar="SHARE", help="Share of pictures without it that may be flagged.")
    ] = 0.01,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Learn a concept from two folders of examples: a small head on a model's embeddings.

    Give ten examples of each at least; hundreds are better. Three in ten are kept apart to set the threshold and to
    measure the concept.

    \b
    Example:
      lexel concept train memes --yes memes/ --no photos/ --model ViT-B-32/openai -o memes-concept
      lexel filter photos.lexel --concept memes-concept
    """
    from lexel.cli.printing import print_json
    from lexel.curation.concepts.filtering import train_from
    from lexel.progress import say

    choice = chosen_model(model, runtime, number_format)
    assert choice is not None
    head, bad = train_from(name, yes, no, choice, false_positives)
    head.save(output)
    facts = head.facts
    for reason in bad:
        say(f"lexel concept train: cannot read {reason}")
    if json:
        print_json(facts.model_dump(mode="json"))
        return
    print(
        f"{name}, trained on {counted(facts.trained_on[0], 'example')} with it and {facts.trained_on[1]:,} without, "
        f"is in {output}.\nOn examples kept apart, {facts.false_positives}.\n"
        f"Of {facts.recall_examples:,} with it, {facts.recall:.1%} are found "
        f"(95 % interval {facts.recall_low:.1%} to {facts.recall_high:.1%})."
    )
