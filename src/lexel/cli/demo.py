"""`lexel demo`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexel.cli.options import Json, Seed, Set, Steps, as_changes

if TYPE_CHECKING:
    from lexel.demo import Demo


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", file_okay=False, help="Folder to write into.")
    ] = Path("demo"),
    seed: Seed = None,
    steps: Steps = None,
    changes: Set = None,
    serve: Annotated[bool, typer.Option("--serve", help="Go on to the web page of the model: lexel serve.")] = False,
    json: Json = False,
) -> None:
    """Show the whole journey on made-up pictures, in about three minutes.

    It learns colours, shapes, counts and places from the captions of pictures that Lexel draws itself, then names
    combinations of colour and shape that it has never seen or read of. Timed on two cores.

    \b
    Example:
      lexel demo --output demo --serve
    """
    from lexel.cli.printing import print_json
    from lexel.demo import demo_recipe, run_demo
    from lexel.progress import say

    if serve:
        _check_that_it_can_serve()  # now, and not when the demo is over
    done = run_demo(demo_recipe(as_changes(changes, seed=seed, steps=steps)), output, lambda part: say(f"\n{part}."))
    if json:
        print_json(done.to_json())
    else:
        _print(done, output)
    if serve:
        _serve(done.run.model)


def _print(done: "Demo", output: Path) -> None:
    from lexel.cli.print_demo import print_pictures, print_ranking
    from lexel.progress import duration

    print_pictures([shown.path for shown in done.shown], width=20)
    for shown in done.shown:
        print(f'\n{shown.path}   "{shown.caption}"')
        print_ranking(shown.guesses, indent="  ")
    numbers = done.to_json()
    print(
        f"\nIt names {numbers['zero_shot_top1']:.1%} of the pictures of {done.classes} combinations that it had never "
        f"seen; guessing names {numbers['chance']:.1%}.\nTrained in {duration(done.run.training_seconds)}.\n\n"
        f"Report  {done.page}\nModel   {done.run.model}\n\nNow you:\n"
        f"  lexel classify {done.run.model} {output / 'pictures'} --templates scene "
        f'--labels "{",".join(dict.fromkeys(shown.label for shown in done.shown))}"\n'
        f'  lexel rank {done.run.model} {done.shown[0].path} "{done.shown[0].caption}" "two blue stars" "a green leaf"'
        f"\n  lexel serve {done.run.model}        in a browser: try it, see it learn, its map, a drawing game"
    )


def _check_that_it_can_serve() -> None:
    """Raise UsageError where a library that serving needs is not installed."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        from lexel.extras import missing_library

        raise missing_library("Serving", (error.name or "fastapi").partition(".")[0], error) from None


def _serve(model: Path) -> None:
    import sys

    from lexel.server.listening import ServePlan
    from lexel.server.run import serve
    from lexel.server.settings import ServerSettings

    serve(ServePlan(str(model), ServerSettings(), log="text" if sys.stderr.isatty() else "off"))
