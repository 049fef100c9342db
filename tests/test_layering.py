"""The house has a direction: a room imports only from rooms above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "planner"
ROOMS = (
    ("units", "errors", "documents", "buffers"),
    ("interval",),
    ("records",),
    ("container",),
    ("catalogue",),
    ("profiling",),
    ("performance",),
    ("planning",),
    ("campaign",),
    ("jobs",),
    ("report",),
    ("demo",),
    ("cli",),
)
"""From top to bottom; rooms of one row may not import each other, but for documents, which use the errors."""
LEVEL = {room: level for level, row in enumerate(ROOMS) for room in row}


def _room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "planner" and len(parts) > 1 else None


def _imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [f"planner.{a.name}" for a in node.names] if node.module == "planner" else [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            if room := _room_of(module):
                yield room, node.lineno


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_own_room_and_those_above(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    below = [
        f"line {line}: planner.{room}"
        for room, line in _imported_rooms(path)
        if room != own and LEVEL[room] >= LEVEL[own] and not (own == "documents" and room == "errors")
    ]
    assert not below, f"{own} may not import {', '.join(below)}"


def test_every_room_has_a_place_in_the_order() -> None:
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert found - {"__init__", "__main__"} == set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] == "cli":
        return
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
    assert not calls & {"print", "exit", "quit", "sys.exit", "os._exit", "click.echo"}
