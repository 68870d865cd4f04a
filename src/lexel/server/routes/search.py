"""`/v1/search` and `/v1/similar`: words, pictures or both, over the library."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from lexel.errors import UsageError
from lexel.library.search.query import Example, WeightedText
from lexel.library.search.query import Query as LibraryQuery
from lexel.library.search.ranking import UNLIKE_WEIGHT
from lexel.server.http.bodies import PROBLEMS, described, read_body
from lexel.server.http.problems import ProblemError, too_many
from lexel.server.routes.limits import check_images, check_lengths
from lexel.server.routes.shown_photos import as_hits, find_photo, library_of
from lexel.server.schemas.searching import Filters, Number, SearchAnswer, SearchRequest, WordSearch
from lexel.server.service import Service

MAX_PARTS = 32  # of what is combined
MAX_WHERE_CHARACTERS = 2000


def search_routes(service: Service) -> APIRouter:
    router = APIRouter(tags=["library"], responses=PROBLEMS)

    @router.post("/v1/search", openapi_extra=described(SearchRequest), summary="Search the library")
    async def search(request: Request) -> SearchAnswer:
        """The photos that fit best. Without words and pictures: those that pass the filters, newest first."""
        return await find(await read_body(request, SearchRequest, service.settings))

    @router.get("/v1/search", summary="Search the library by words")
    async def search_words(asked: Annotated[WordSearch, Query()]) -> SearchAnswer:
        """The photos that fit the words best and pass the filters."""
        if not asked.q.strip():
            raise ProblemError(422, "no-words", "The words to search for are empty.")
        return await find(asked.request())

    @router.get("/v1/similar/{id}", summary="Photos like one of the library")
    async def similar(
        id: Number, top: Annotated[int, Query(ge=1)] = 20, offset: Annotated[int, Query(ge=0)] = 0
    ) -> SearchAnswer:
        """The photos most like the one of this number, without itself."""
        library = library_of(service)
        await service.in_library(lambda: find_photo(library, id))
        return await find(SearchRequest.model_validate({"like": {"id": id}, "top": top, "offset": offset}))

    async def find(asked: SearchRequest) -> SearchAnswer:
        library = library_of(service)
        last = asked.offset + asked.top
        if last > service.settings.max_results:
            raise too_many("results", last, service.settings.max_results)
        _check(asked, service)
        query = _as_query(asked, last + 1)  # one more tells whether there is another page

        def work() -> SearchAnswer:
            if not library.records.count:
                return SearchAnswer(hits=[], offset=asked.offset, next_offset=None)
            try:
                hits = library.find(query)
            except UsageError as error:
                raise UsageError(str(error).replace(str(library.path), "The library")) from None
            shown = as_hits(hits[asked.offset : last], library.folders)
            return SearchAnswer(hits=shown, offset=asked.offset, next_offset=last if len(hits) > last else None)

        return await service.in_library(work)

    return router


def _check(asked: SearchRequest, service: Service) -> None:
    parts = [*asked.combine, *([asked.like] if asked.like else [])]
    if len(parts) > MAX_PARTS:
        raise too_many("parts", len(parts), MAX_PARTS)
    check_images([part.image for part in parts if part.image is not None], service.settings)
    texts = [part.text for part in asked.combine if part.text is not None]
    check_lengths([*texts, *([asked.text] if asked.text else []), *_listed(asked.without)], service.settings)
    filters = [getattr(asked, name) for name in Filters.model_fields]
    if any(isinstance(given, str) and len(given) > MAX_WHERE_CHARACTERS for given in filters):
        raise ProblemError(422, "text-too-long", f"A filter may have {MAX_WHERE_CHARACTERS:,} characters.")


def _as_query(asked: SearchRequest, top: int) -> LibraryQuery:
    texts: list[WeightedText] = [asked.text] if asked.text else []
    without = _listed(asked.without)
    like: list[Example] = []
    unlike: list[Example] = []
    if asked.like is not None:
        like.append(asked.like.id if asked.like.id is not None else asked.like.image or b"")
    for part in asked.combine:
        weight = abs(part.weight)
        if part.text is not None:
            if part.weight > 0:
                texts.append((part.text, weight))
            else:
                without.append(part.text)
            continue
        picture = part.id if part.id is not None else part.image or b""
        if part.weight > 0:
            like.append((picture, weight))
        else:
            unlike.append((picture, weight / UNLIKE_WEIGHT))
    filters = {name: getattr(asked, name) for name in Filters.model_fields}
    return LibraryQuery(
        texts=texts,
        like=like,
        unlike=unlike,
        without=without,
        literal=asked.literal,
        least=asked.least,
        diversity=asked.diversity,
        top=top,
        **filters,
    )


def _listed(given: str | list[str] | None) -> list[str]:
    if given is None:
        return []
    return [given] if isinstance(given, str) else list(given)
