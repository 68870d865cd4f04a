"""How the help of a verb looks: plain text, its options in panels, those that people rarely need last."""

from collections import defaultdict
from typing import Any

from typer.core import TyperCommand

OPTIONS = "Options"
RARE = "Rarely needed"  # the rich_help_panel of such options


class Verb(TyperCommand):
    """A command whose help lists its options in the panels that they name, in plain text."""

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
