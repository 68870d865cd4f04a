"""`lexel models`"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lexel.cli.options import Activation, Architecture, Json, Model, Templates, TokenizerFile, chosen_templates

models = typer.Typer(help="Named models, conversion between formats, and mixing.", no_args_is_help=True)
Target = Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.", show_default=False)]


@models.callback()
def _models() -> None: ...


@models.command(name="list")
def list_models(
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="List the published checkpoints that can be pulled.")
    ] = False,
    json: Json = False,
) -> None:
    """List the named architectures with their size and work, or the published checkpoints.

    Millions of parameters, and billions of operations for one image and for one caption. A dash: only the library
    that the tower comes from knows the number.

    \b
    Example:
      lexel models list --pretrained
    """
    from dataclasses import asdict

    from lexel.cli.print_models import print_architectures, print_pretrained
    from lexel.cli.printing import print_json

    if pretrained:
        from lexel.checkpoints.hub.locate import pretrained_rows

        rows = pretrained_rows()
        if json:
            print_json([asdict(row) for row in rows])
        else:
            print_pretrained(rows)
        return
    from lexel.architectures.cost import describe
    from lexel.architectures.zoo import ARCHITECTURES

    costs = {name: describe(name) for name in ARCHITECTURES}
    if json:
        print_json({name: asdict(cost) for name, cost in costs.items()})
    else:
        print_architectures(costs)


@models.command()
def pull(
    name: Annotated[
        str, typer.Argument(help="The checkpoint: ViT-B-32/openai or hf:organisation/repository.", show_default=False)
    ],
) -> None:
    """Fetch a published checkpoint; an interrupted pull continues where it stopped.

    \b
    Example:
      lexel models pull ViT-B-32/datacomp_xl_s13b_b90k
    """
    from lexel.checkpoints.hub.locate import pull_showing_progress

    located = pull_showing_progress(name)
    print(located.weights)


@models.command()
def convert(
    model: Model,
    out: Target,
    to: Annotated[
        Literal["lexel", "open_clip", "huggingface"], typer.Option("--to", help="The format of the folder.")
    ] = "lexel",
    architecture: Architecture = None,
    activation: Activation = None,
    tokenizer: TokenizerFile = None,
) -> None:
    """Write a model of any kind as a folder of another format; every weight keeps its bits.

    \b
    Example:
      lexel models convert ViT-B-32.pt clip-vit-b-32 --tokenizer bpe_simple_vocab_16e6.txt.gz
    """
    from lexel.conversion import convert as write

    print(write(model, out, to, architecture=architecture, activation=activation, tokenizer=tokenizer))


@models.command()
def export(
    model: Model,
    out: Target,
    to: Annotated[Literal["onnx"], typer.Option("--to", help="The format of the towers.")] = "onnx",
    formats: Annotated[
        str, typer.Option("--formats", help="One or more of float32, float16 and int8, separated by commas.")
    ] = "float32",
    images: Annotated[
        str | None,
        typer.Option(
            "--images",
            metavar="SOURCE",
            help="Real images to compare on, best with captions; int8 needs a few hundred.",
            show_default=False,
        ),
    ] = None,
    architecture: Architecture = None,
    activation: Activation = None,
    tokenizer: TokenizerFile = None,
    json: Json = False,
) -> None:
    """Write a model for machines without torch, and measure how near it is to the original.

    A number format that is too far from float32 is left out, with the reason.

    \b
    Example:
      lexel models export demo/run/model demo-onnx --formats float32,int8 --images scenes:500/val
    """
    from dataclasses import asdict

    from lexel.cli.printing import print_json
    from lexel.conversion import export as write
    from lexel.data.readers import read_source

    report = write(
        model,
        out,
        [name.strip() for name in formats.split(",")],
        read_source(images, prefer=("val", "test")) if images else None,
        architecture=architecture,
        activation=activation,
        tokenizer=tokenizer,
    )
    if json:
        written = {name: agreement.model_dump() for name, agreement in report.written.items()}
        print_json(asdict(report) | {"folder": str(report.folder), "written": written})
    else:
        print(*report.lines(), report.folder, sep="\n")
    if report.left_out:
        raise typer.Exit(1)


@models.command()
def calibrate(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    source: Annotated[str, typer.Argument(help="Pairs that the model was not trained on.", show_default=False)],
    templates: Templates = None,
    json: Json = False,
) -> None:
    """Fit the probability that image and text match to the model's cosines, and keep it in its folder.

    \b
    Example:
      lexel models calibrate clip-vit-b-32 holiday-photos/
    """
    from lexel.checkpoints.model_folder.folder import open_model_folder
    from lexel.cli.print_models import print_calibration
    from lexel.cli.printing import print_json
    from lexel.data.readers import read_source
    from lexel.evaluation.calibrate import calibrate as fit
    from lexel.evaluation.report.overlap import CALIBRATED_CONSEQUENCE, about_overlap
    from lexel.loading import load
    from lexel.progress import say

    folder = open_model_folder(model)
    pairs = read_source(source, prefer=("val", "test"))
    encoder = load(model)
    calibration = fit(encoder, pairs, templates=chosen_templates(templates))
    for warning in about_overlap(encoder, [pair.picture for pair in pairs.pairs], CALIBRATED_CONSEQUENCE):
        say(f"Warning: {warning}")
    folder.save_calibration(calibration)
    if json:
        print_json(calibration.model_dump())
    else:
        print_calibration(calibration)


@models.command()
def blend(
    start: Annotated[
        str, typer.Argument(metavar="START", help="The model that the others were fine-tuned from.", show_default=False)
    ],
    tuned: Annotated[
        list[str],
        typer.Argument(
            metavar="TUNED…", help="Models fine-tuned from START; several are averaged first.", show_default=False
        ),
    ],
    own: Annotated[
        str, typer.Option(metavar="SOURCE", help="Your own data, which was not trained on.", show_default=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL", help="The model folder to write.", show_default=False)
    ],
    guard: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Data that must not be forgotten; repeatable.", show_default=False),
    ] = None,
    loss: Annotated[float, typer.Option(min=0, help="Percentage points that each guard may lose.")] = 1.0,
    soup: Annotated[
        Literal["greedy", "uniform"],
        typer.Option(help="How several models are averaged: only those that help (greedy), or all."),
    ] = "greedy",
    templates: Templates = None,
    json: Json = False,
) -> None:
    """Mix a model with fine-tuned ones: good at your data, without forgetting the rest.

    Eleven mixtures are measured. The best on --own that loses at most --loss points on every --guard is written as
    the new model folder, with the curve in blend.png and blend.json.

    \b
    Example:
      lexel models blend ViT-B-32/openai tuned --own mine/val --guard test -o both
    """
    from lexel.blending.blend import blend as mix
    from lexel.cli.print_models import print_blend
    from lexel.cli.printing import print_json
    from lexel.data.readers import read_source

    own_source, *guards = [read_source(name, prefer=("val", "test")) for name in (own, *(guard or ()))]
    found = mix(
        start,
        tuned,
        output,
        own=own_source,
        guards=guards,
        most_lost=loss,
        soup=soup,
        templates=chosen_templates(templates),
    )
    if json:
        print_json({"model": str(found.model)} | found.facts())
    else:
        print_blend(found)
