"""The folders' import order is the data flow's direction: no folder imports one to its right."""
import ast
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ORDER = ["sw", "hw", "boards", "sim"]
FRONT_DOOR = ROOT / "hw" / "build.py"    # the one leaf that sees every folder
FILES = [path for folder in ORDER for path in sorted((ROOT / folder).rglob("*.py"))]


def imports(path):
    """Every module that a file imports, at its top or in a function, and every name from one."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(names=names):
                module = resolve_name("." * node.level + (node.module or ""), package)
                yield module
                yield from (f"{module}.{name.name}" for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports(path):
    found = set(imports(path))
    assert "hw.build" not in found
    if path != FRONT_DOOR:
        right = ORDER[ORDER.index(path.relative_to(ROOT).parts[0]) + 1:]
        assert not {module for module in found if module.split(".")[0] in right}


def test_front_door_is_among_the_files():
    assert FRONT_DOOR in FILES
