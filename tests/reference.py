"""Every command's help as one Markdown page: ``python -m tests.reference > docs/commands.md``."""

import click

from planner.cli import root

_WIDTH = 100


def reference() -> str:
    """The page; the same on every machine."""
    parts = [
        "# Commands\n",
        "Written by `python -m tests.reference > docs/commands.md` from the commands' own help; a test compares.\n",
        _page(root, "planner"),
    ]
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None
        parts.append(_page(command, f"planner {name}"))
    return "\n".join(parts)


def _page(command: click.Command, name: str) -> str:
    context = click.Context(
        command, info_name=name, terminal_width=_WIDTH, max_content_width=_WIDTH, help_option_names=["-h", "--help"]
    )
    return f"## {name}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    click.echo(reference(), nl=False)
