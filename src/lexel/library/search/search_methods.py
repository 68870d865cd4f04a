"""How a `Searchable` is asked: the methods that `Library` and `ClusterLibrary` share."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Never

from lexel.library.search.filters import Orientation
from lexel.library.search.query import Example, Hit, Least, Query, WeightedText
from lexel.library.search.ranking import rank
from lexel.library.search.searchable import Searchable


class SearchMethods:
    """`search` in so many words, and `find` by a `Query`; both find the same."""

    def search(
        self: Searchable[Any],
        *texts: WeightedText,
        like: Sequence[Example] | Example = (),
        unlike: Sequence[Example] | Example = (),
        without: Sequence[str] | str = (),
        literal: bool = False,
        keywords: str | None = None,
        where: str | None = None,
        folder: str | Path | None = None,
        after: str | None = None,
        before: str | None = None,
        orientation: Orientation | None = None,
        tag: str | None = None,
        least_side: int | None = None,
        least: Least = "any",
        top: int = 20,
        page: int = 1,
        diversity: float = 0.0,
        approximate: bool | None = None,
        **mistyped: Never,
    ) -> list[Hit]:
        """The photos that fit best, best first; what each option means is said in `Query`.

        Raises UsageError for what cannot be asked, and for an option that there is not.

        Example: `library.search("a beach", without="people", after="2024", least="possible")`
        """
        query = Query(
            texts=texts,
            like=like,
            unlike=unlike,
            without=without,
            literal=literal,
            keywords=keywords,
            where=where,
            folder=folder,
            after=after,
            before=before,
            orientation=orientation,
            tag=tag,
            least_side=least_side,
            least=least,
            top=top,
            page=page,
            diversity=diversity,
            approximate=approximate,
            **mistyped,
        )
        return rank(query, self)

    def find(self: Searchable[Any], query: Query) -> list[Hit]:
        """The photos that a query asks for, best first. Raises UsageError for what cannot be asked.

        Example: `library.find(Query(texts="a beach", top=5))`
        """
        return rank(query, self)
