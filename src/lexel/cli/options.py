"""The options that mean the same in every verb, said once."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from lexel.cli.verb import RARE
from lexel.errors import UsageError
from lexel.files import check_folder_above, check_new_file

DefaultTemplates = TypeVar("DefaultTemplates", bound=str | list[str] | None)

if TYPE_CHECKING:
    from lexel.loading import ModelChoice

NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Embed everything again, and keep nothing for the next evaluation.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Model = Annotated[
    str,
    typer.Argument(
        help="A model folder, such as runs/shop/model; or ViT-B-32/openai, hf:organisation/repository.",
        show_default=False,
    ),
]
Runtime = Annotated[
    Literal["torch", "onnx", "openvino"] | None,
    typer.Option(
        "--runtime",
        metavar="NAME",
        help="What runs the towers: torch, onnx or openvino; by default what fits the model.",
        show_default=False,
    ),
]
NumberFormat = Annotated[
    Literal["float32", "bfloat16", "float16", "int8"] | None,
    typer.Option(
        "--number-format",
        metavar="FORMAT",
        help="float32, bfloat16, float16 or int8: what the towers compute in; of an exported model, what it has.",
        show_default=False,
    ),
]
LibraryFolder = Annotated[
    Path, typer.Argument(metavar="LIBRARY", help="The library, such as photos.lexel.", show_default=False)
]
LibraryModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="Where the library's model lies now.", show_default=False),
]
Labels = Annotated[
    str,
    typer.Option(
        "--labels",
        metavar="A,B…|FILE",
        help="Labels with commas between; a text file with one a line; or a table with a label column.",
        show_default=False,
    ),
]
Least = Annotated[
    Literal["strong", "possible", "any"],
    typer.Option("--least", help="How well a label has to fit; any: always take the best."),
]


def checked_file(path: Path | None) -> Path | None:
    """The file to be written. Raises UsageError, before any work, where there can be no such file."""
    if path is not None:
        check_new_file(path)
    return path


def checked_folder(path: Path | None) -> Path | None:
    """The folder for copies. Raises UsageError, before any work, where the one that it is to be made in is missing."""
    if path is not None:
        check_folder_above(path)
    return path


Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a page with the pictures.",
        show_default=False,
        callback=checked_file,
    ),
]
Paths = Annotated[bool, typer.Option("--paths", help="Print only paths, for pipes.")]
Zero = Annotated[bool, typer.Option("-0", help="Like --paths, but end each with a NUL, for xargs -0.")]
Architecture = Annotated[
    str | None,
    typer.Option(
        "--architecture", help="For a weight file without configuration: see lexel models list.", show_default=False
    ),
]
Activation = Annotated[
    Literal["gelu", "quick_gelu", "gelu_tanh"] | None,
    typer.Option("--activation", help="The activation of a weight file that does not name it."),
]
TokenizerFile = Annotated[
    Path | None,
    typer.Option(
        "--tokenizer",
        metavar="FILE",
        help="CLIP's bpe_simple_vocab_16e6.txt.gz or a tokenizer.json, where none lies beside the weights.",
        show_default=False,
    ),
]
Images = Annotated[
    list[str],
    typer.Argument(
        help="Image files, folders or globs; - reads an image, or a list of paths, from standard input.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FOLDER", file_okay=False, help="Folder to write into.", show_default=False),
]
RecipeOrSource = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|SOURCE", help="A recipe (.toml), or pictures with captions or labels.", show_default=False
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Begin from this model instead of random weights: fine-tune it. Short for --set model.weights=MODEL.",
        show_default=False,
    ),
]
Adapt = Annotated[
    Literal["full", "locked", "lora"] | None,
    typer.Option(
        "--adapt",
        metavar="KIND",
        help="How --from MODEL learns: full (every weight, kept near the model; the default), locked (all but the "
        "image tower), or lora (small products beside the weights). Short for --set adapt.kind=KIND.",
        show_default=False,
    ),
]
Distill = Annotated[
    str | None,
    typer.Option(
        "--distill",
        metavar="TEACHER",
        help="Learn to match the embeddings of this larger model. Short for --set distill.teacher=TEACHER.",
        show_default=False,
    ),
]
Languages = Annotated[
    str | None,
    typer.Option(
        "--languages",
        metavar="A,B…",
        help="The captions' columns in other languages, by their names or codes: de for captions_de.",
        show_default=False,
    ),
]
Guard = Annotated[
    list[str] | None,
    typer.Option(
        "--guard",
        metavar="SOURCE",
        help="What --from MODEL must not forget: pictures with labels or captions; may be given again. The run stops "
        "where it loses more than guard.most_lost points.",
        show_default=False,
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of all that is random.", show_default=False)]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="Length of the run, instead of the recipe's.", show_default=False)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field, such as optimizer.learning_rate=0.001.",
        show_default=False,
    ),
]
Templates = Annotated[
    list[str] | None,
    typer.Option(
        "--templates",
        metavar="NAME|FILE|TEXT",
        help="Prompt templates: photo, imagenet, satellite, texture, digits …, a file, or a sentence with {}.",
        show_default=False,
    ),
]
Wording = Annotated[
    Path | None,
    typer.Option(
        "--wording",
        metavar="FILE",
        help="A file of names or descriptions to use for the labels.",
        show_default=False,
        rich_help_panel=RARE,
    ),
]


def chosen_model(model: str | None, runtime: Runtime, number_format: NumberFormat) -> "ModelChoice | None":
    """The --model and how it is run; None where a library is to remember its own. Raises UsageError for half of it."""
    from lexel.loading import ModelChoice

    if model is None and (runtime or number_format):
        option = "--runtime" if runtime else "--number-format"
        raise UsageError(f"{option} says how --model MODEL is run, so give that too.")
    return ModelChoice(model, runtime, number_format) if model is not None else None


def chosen_templates(
    given: list[str] | None, default: DefaultTemplates = "photo"
) -> str | list[str] | DefaultTemplates:
    """A family's name stays a name; sentences become a list."""
    if not given:
        return default
    return given[0] if len(given) == 1 else given


def split_names(given: str) -> list[str]:
    """Names with commas between, each once. Raises UsageError where there is none."""
    names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if not names:
        raise UsageError("--languages names none. Give columns or codes with commas between, such as de,fr.")
    return names


def as_changes(
    given: list[str] | None,
    *,
    weights: str | None = None,
    adapt: str | None = None,
    guards: list[str] | None = None,
    teacher: str | None = None,
    languages: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
) -> list[str]:
    """--from, --adapt, --distill, --languages, --guard, --set, --seed and --steps as changes of a recipe."""
    origin = "model.image_weights" if languages else "model.weights"  # a new text tower learns the languages
    named = ((origin, weights), ("adapt.kind", adapt), ("distill.teacher", teacher))
    begin = [f"{name}={value}" for name, value in named if value is not None]
    if languages:
        begin += ["freeze.image=true", f"languages.columns={json.dumps(split_names(languages), ensure_ascii=False)}"]
    numbers = [f"{name}={value}" for name, value in (("seed", seed), ("steps", steps)) if value is not None]
    begin += [f"guard.sources={json.dumps(guards, ensure_ascii=False)}"] if guards else []
    return [*begin, *(given or []), *numbers]
