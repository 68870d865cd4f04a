"""How a verb speaks of its options: help in plain text, those that people rarely need last, and wrong values."""

from collections import defaultdict
from typing import Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

OPTIONS = "Options"
RARE = "Rarely needed"  # the rich_help_panel of such options


class Verb(TyperCommand):
    """A command whose help lists its options in the panels that they name, in plain text."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As any command, but a wrong choice is told without the words that pydantic puts before it."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options, then those of other panels, in the order in which these appear."""
        panels: dict[str, list[tuple[str, str]]] = defaultdict(list, {"Arguments": [], OPTIONS: []})
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            is_argument = parameter.param_type_name == "argument"
            named = getattr(parameter, "rich_help_panel", None)
            panels["Arguments" if is_argument else named or OPTIONS].append(record)
        for title, records in panels.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class VerbWithDefault(TyperGroup):
    """Commands of which one, named DEFAULT, is run where none is named: `lexel caption captioner/ photo.jpg`."""

    DEFAULT = "use"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default's name before what is neither a command that the help lists nor a wish for help."""
        named = {name for name, command in self.commands.items() if not command.hidden}
        is_default = args and args[0] not in named.union(ctx.help_option_names)
        return super().parse_args(ctx, [self.DEFAULT, *args] if is_default else args)


class VerbWithTraining(VerbWithDefault):
    """A verb that works on what it is given, or, if the word `train` comes first, trains what it works with.

    Its two commands are `train` and the hidden default, whose help it shows.
    """

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the default's help, with the usage line of both."""
        default = self.commands[self.DEFAULT]
        with default.make_context(ctx.info_name, [], parent=ctx.parent, resilient_parsing=True) as inner:
            default.format_usage(inner, formatter)
            formatter.write_usage(ctx.command_path, "train --help", prefix="       ")
            default.format_help_text(inner, formatter)
            default.format_options(inner, formatter)
