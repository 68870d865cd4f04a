"""Names that a reader can search for: one class of each name in the whole package."""

import ast
from collections import defaultdict
from pathlib import Path

import lexel

PACKAGE = Path(lexel.__file__).parent


def test_a_class_name_is_unique_in_the_package_with_and_without_an_underscore():
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert len(places) > 300
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
