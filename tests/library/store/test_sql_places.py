"""Queries stand in the store, and in the filters that users write in SQL, and nowhere else."""

import ast
import re
from pathlib import Path

import lexel

PACKAGE = Path(lexel.__file__).parent
QUERY = re.compile(r"\s*(SELECT|INSERT( OR \w+)? INTO|UPDATE \w+ SET|DELETE FROM|CREATE|ALTER|DROP|PRAGMA)\s")
MAY_HOLD_QUERIES = ("library/store/", "library/search/filters.py")


def test_no_query_stands_outside_the_store_and_the_filters():
    holding = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and QUERY.match(node.value)
    }
    assert len(holding) > 5
    assert [place for place in sorted(holding) if not place.startswith(MAY_HOLD_QUERIES)] == []
