"""The command `lexel`: its verbs, and the one place where errors are told to the user.

Nothing heavy is imported here: `lexel --help` must answer at once. Each verb imports what it needs when it runs.
"""

import errno
import sys
from typing import Annotated

import typer

from lexel import __version__
from lexel.cli.classify import classify
from lexel.cli.data import data
from lexel.cli.demo import demo
from lexel.cli.embed import embed
from lexel.cli.evaluate import evaluate
from lexel.cli.models import models
from lexel.cli.rank import rank
from lexel.cli.train import train
from lexel.errors import LexelError

app = typer.Typer(
    help="Train, evaluate and use CLIP models: one space for pictures and words. Start with: lexel demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (demo, train, evaluate, classify, rank, embed):
    app.command()(verb)
app.add_typer(data, name="data")
app.add_typer(models, name="models")


@app.callback()
def _lexel(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        print(f"lexel {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; a user's mistake becomes one to three lines and an exit status, never a traceback."""
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        app(prog_name="lexel")
    except LexelError as error:
        print(f"lexel {verb}: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        print(f"lexel {verb}: {error.strerror}{where}. What was there before is unharmed.", file=sys.stderr)
        sys.exit(1)
