"""`lexel caption train`"""

from pathlib import Path
from typing import Annotated

import typer

from lexel.cli.options import Json, Model, NoCache
from lexel.cli.verb import RARE


def train(
    model: Model,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="Pictures with captions, or a .txt file with a sentence a line.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="The folder to write the captioner into.", show_default=False
        ),
    ],
    texts_only: Annotated[
        bool, typer.Option("--texts-only", help="Learn from the captions alone, without their pictures.")
    ] = False,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Default: twelve passes over the captions.", show_default=False),
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Captions in a step.")] = 128,
    learning_rate: Annotated[float, typer.Option("--learning-rate", min=1e-7, help="The highest.")] = 2e-3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")] = 0,
    context: Annotated[int, typer.Option("--context", min=3, help="Tokens of a caption at most.")] = 40,
    width: Annotated[int, typer.Option("--width", min=8, help="Width of the decoder.", rich_help_panel=RARE)] = 192,
    depth: Annotated[int, typer.Option("--depth", min=1, help="Blocks of the decoder.", rich_help_panel=RARE)] = 2,
    vocabulary: Annotated[
        int, typer.Option("--vocabulary", min=300, help="Tokens that are learned at most.", rich_help_panel=RARE)
    ] = 4000,
    noise: Annotated[
        float,
        typer.Option(
            "--noise", min=0, help="Longest noise on vectors of texts, which are 1 long.", rich_help_panel=RARE
        ),
    ] = 0.8,
    device: Annotated[
        str | None,
        typer.Option("--device", help="As torch names it; default: a GPU when there is one.", rich_help_panel=RARE),
    ] = None,
    no_cache: NoCache = False,
    json: Json = False,
) -> None:
    """Train a captioner for a model: a small Transformer that says in words where a vector of its space lies.

    It learns from pairs or, with --texts-only or a .txt file, from sentences alone. The same command again goes on
    where it was cut off, to the same weights.

    \b
    Examples:
      lexel caption train runs/shop/model shop.csv -o captioner/
      lexel caption train ViT-B-32/openai sentences.txt -o captioner/
    """
    from lexel.cli.printing import print_json
    from lexel.data.readers import read_source
    from lexel.evaluation.evaluation_cache import default_cache
    from lexel.generation.captions.sentences import read_sentences
    from lexel.generation.captions.settings import CaptionerSettings, default_steps
    from lexel.generation.captions.training import train_captioner
    from lexel.loading import load
    from lexel.progress import say

    sentences = read_sentences(source)
    pairs = None if sentences is not None else read_source(source, prefer=("train",))
    for note in pairs.notes if pairs else ():
        say(note)
    if sentences is None:
        assert pairs is not None
        captions = len({caption for pair in pairs.pairs for caption in pair.captions})
    else:
        captions = len(set(sentences))
    settings = CaptionerSettings.build(
        {
            "learning": {
                "steps": steps or default_steps(captions, batch_size),
                "batch_size": batch_size,
                "learning_rate": learning_rate,
                "seed": seed,
                "device": device,
            },
            "texts_only": texts_only,
            "context_length": context,
            "width": width,
            "depth": depth,
            "vocabulary_size": vocabulary,
            "noise": noise,
        }
    )
    encoder = load(model, device=device)
    cache = None if no_cache else default_cache()
    facts = train_captioner(encoder, pairs if pairs else sentences or [], output, settings, cache, name=source)
    if json:
        print_json(facts.model_dump(mode="json"))
    else:
        print(f"{output} captions for {facts.model_name}: lexel caption {output} IMAGES")
