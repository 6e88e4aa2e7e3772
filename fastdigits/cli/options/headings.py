"""Help pages with the options under headings."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


class CommandWithHeadings(click.Command):
    """A command whose help page lists its options under headings.

    Parameters
    ----------
    headings : dict
        Names of the parameters under each heading, in the order of the help page. All others are listed last.
    """

    def __init__(self, *args: Any, headings: Mapping[str, Sequence[str]], **options: Any):
        super().__init__(*args, **options)
        self.headings = headings

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = {str(param.name): param.get_help_record(ctx) for param in self.get_params(ctx)}
        groups = {heading: [records.pop(name) for name in names] for heading, names in self.headings.items()}
        for heading, group in {**groups, "Other options": [*records.values()]}.items():
            if rows := [record for record in group if record is not None]:
                with formatter.section(heading):
                    formatter.write_dl(rows)
