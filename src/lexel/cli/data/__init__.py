"""`lexel data`: look at a source and put it right before training on it. Each command has a file of its own."""

import typer

from lexel.cli.data.filter import filter
from lexel.cli.data.inspect import inspect
from lexel.cli.data.prepare import prepare
from lexel.cli.data.pull import pull

data = typer.Typer(help="Look at data before training on it.", no_args_is_help=True)
for command in (inspect, filter, prepare, pull):
    data.command()(command)


@data.callback()
def _data() -> None: ...
