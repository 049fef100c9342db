"""What the documents say of the program is checked against the program."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from planner.cli import root

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = root.list_commands(click.Context(root))


def test_the_reference_of_commands_is_their_own_help() -> None:
    # In a process of its own: click remembers a command's help option from the first context that it was asked in.
    fresh = subprocess.run(
        [sys.executable, "-m", "tests.reference"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    page = (ROOT / "docs" / "commands.md").read_text()
    assert page == fresh.stdout, "refresh it: python -m tests.reference > docs/commands.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    assert f"`planner {name}" in README


def test_every_option_that_the_readme_shows_exists() -> None:
    context = click.Context(root)
    for line in re.findall(r"^(?:\.venv/bin/)?planner [a-z].*", README, flags=re.MULTILINE):
        name = line.split()[1]
        command = root.get_command(context, name)
        assert command is not None, line
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        shown = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", line))
        assert shown <= known, f"{line}: no such option: {shown - known}"


@pytest.mark.parametrize("target", ["install", "demo", "test", "check", "bench"])
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


def test_every_link_to_a_file_of_the_project_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *ROOT.glob("*/README.md"), ROOT / "docs" / "endpoint.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
