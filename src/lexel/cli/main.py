"""The command `lexel`: its verbs, and the one place where errors are shown to the user.

Nothing heavy is imported here: `lexel --help` must answer at once. Each verb imports what it needs when it runs.
"""

import errno
import os
import sys
from typing import Annotated

import typer

from lexel.cli.caption import caption
from lexel.cli.classify import classify
from lexel.cli.compare import compare
from lexel.cli.concept import concept
from lexel.cli.data import data
from lexel.cli.demo import demo
from lexel.cli.duplicates import duplicates
from lexel.cli.embed import embed
from lexel.cli.evaluate import evaluate
from lexel.cli.explain import explain
from lexel.cli.filter import filter
from lexel.cli.generate import generate
from lexel.cli.group import group
from lexel.cli.guide import guide
from lexel.cli.index import index
from lexel.cli.label import label
from lexel.cli.library import library
from lexel.cli.map import map
from lexel.cli.models import models
from lexel.cli.plan import plan
from lexel.cli.profile import profile
from lexel.cli.rank import rank
from lexel.cli.search import search
from lexel.cli.serve import serve
from lexel.cli.sort import sort
from lexel.cli.train import train
from lexel.cli.verb import Verb
from lexel.errors import LexelError
from lexel.extras import EXTRAS, missing_library
from lexel.terminal import escaped_output
from lexel.version import __version__

app = typer.Typer(
    help="Train, evaluate and use CLIP models: one space for pictures and words. Start with: lexel demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: examples keep their lines, errors are short, and it starts twice as fast
    context_settings={"help_option_names": ["-h", "--help"]},
)
TRAINING = (demo, train, plan, profile, evaluate, compare)
USE = (classify, rank, explain, guide, index, search, duplicates, group, label, sort, filter, map, embed, serve)
for verb in (*TRAINING, *USE):
    app.command(cls=Verb)(verb)
GROUPS = {
    "data": data,
    "library": library,
    "concept": concept,
    "models": models,
    "caption": caption,
    "generate": generate,
}
for name, group_of_verbs in GROUPS.items():
    for command in group_of_verbs.registered_commands:
        command.cls = Verb
    app.add_typer(group_of_verbs, name=name)


# Of the disk or its permissions, not of a mistake in Lexel.
OUTSIDE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENAMETOOLONG}


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"lexel {__version__}")
        raise typer.Exit


@app.callback()
def _lexel(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command line; a user's mistake becomes one to three lines and an exit status, never a traceback."""
    with escaped_output():
        _run()


def _run() -> None:
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        try:
            app(prog_name="lexel")
        finally:
            print(end="", flush=True)  # now, while a full disk or a closed pipe can still be reported
    except LexelError as error:
        _tell(f"lexel {verb}: {error}")
        sys.exit(error.exit_status)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in EXTRAS:
            raise
        _tell(f"lexel {verb}: {missing_library('This', library, error)}")
        sys.exit(2)
    except BrokenPipeError:  # who reads has enough, as `head` does
        _discard_output()
        sys.exit(1)
    except OSError as error:
        if error.errno not in OUTSIDE:
            raise
        where = f": {error.filename}" if error.filename else ""
        print(
            f"lexel {verb}: {os.strerror(error.errno)}{where}.\n"
            "Mend that and give the same command again; what was there before is unharmed.",
            file=sys.stderr,
        )
        _discard_output()
        sys.exit(1)


def _tell(message: str) -> None:
    """Print the reason on standard error, once where all processes that torchrun has started find the same."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        from lexel.training.distributed.world import is_reported_by_another

        if is_reported_by_another(message):
            return
    print(message, file=sys.stderr)


def _discard_output() -> None:
    """Python writes the rest of standard output when it ends, and would complain again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
