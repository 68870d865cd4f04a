"""The body of a request as a pydantic model: JSON, or a form with uploads.

Large bodies are parsed on a thread: a picture as a data URL is megabytes of base64.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, WithJsonSchema
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from lexel.server.http.problems import Problem, ProblemError
from lexel.server.settings import ServerSettings

INLINE_BYTES = 64 << 10  # of a body that is parsed on the event loop
MAX_FORM_FIELDS = 2048
FORM = "multipart/form-data"
DATA_URL_PATTERN = r"^data:[a-z0-9.+/-]*;base64,[A-Za-z0-9+/=\s]*$"
Body = TypeVar("Body", bound=BaseModel)


def _picture(given: object) -> object:
    """The bytes in a data URL; what is uploaded is bytes already."""
    if isinstance(given, bytes):
        return given
    if not isinstance(given, str):
        raise ValueError("an image is a data URL, such as data:image/jpeg;base64,…")
    head, comma, encoded = given.partition(",")
    if not comma or not head.lower().startswith("data:") or not head.lower().endswith(";base64"):
        reason = "addresses are not fetched" if given.lower().startswith(("http:", "https:", "file:", "//")) else "no"
        raise ValueError(f"an image is a data URL with base64 ({reason}): data:image/jpeg;base64,…")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the base64 of the data URL is damaged") from None


ImageData = Annotated[
    bytes,
    BeforeValidator(_picture),
    WithJsonSchema({"type": "string", "pattern": DATA_URL_PATTERN, "examples": ["data:image/png;base64,iVBORw0KGgo…"]}),
]


async def read_body(request: Request, model: type[Body], settings: ServerSettings) -> Body:
    """The body as the model. Raises ProblemError or ValidationError for what does not fit it."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == FORM:
        return model.model_validate(await _read_form(request, model, settings))
    if content_type not in ("", "application/json") and not content_type.endswith("+json"):
        raise ProblemError(415, "unsupported-media", f"Send application/json or {FORM}, not {content_type[:60]}.")
    content = await request.body()
    if len(content) <= INLINE_BYTES:
        return model.model_validate_json(content)
    return await asyncio.get_running_loop().run_in_executor(None, model.model_validate_json, content)


async def read_uploads(request: Request, settings: ServerSettings) -> list[tuple[str, bytes]]:
    """The files of a form with their names. Raises ProblemError where there are none."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != FORM:
        raise ProblemError(415, "unsupported-media", f"Send the files as {FORM}.")
    form = await _parse_form(request, settings)
    return [(value.filename or "", await value.read()) for _, value in form if isinstance(value, UploadFile)]


async def _read_form(request: Request, model: type[BaseModel], settings: ServerSettings) -> Mapping[str, Any]:
    """A form's fields under the model's names: those that are lists may be given several times."""
    fields: dict[str, Any] = {}
    for name, value in await _parse_form(request, settings):
        content = await value.read() if isinstance(value, UploadFile) else value
        if name in model.model_fields and _takes_list(model.model_fields[name].annotation):
            fields.setdefault(name, []).append(content)
        elif name in fields:
            raise ProblemError(422, "invalid-request", f"The field {name[:60]} may be given once.")
        else:
            fields[name] = content
    return fields


async def _parse_form(request: Request, settings: ServerSettings) -> list[tuple[str, UploadFile | str]]:
    # Uploads stay in memory, within the limit of a body: what is sent is not written to a disk.
    parser = MultiPartParser(
        request.headers, request.stream(), max_files=MAX_FORM_FIELDS, max_fields=MAX_FORM_FIELDS,
        max_part_size=settings.max_body_bytes,
    )  # fmt: skip
    parser.spool_max_size = settings.max_body_bytes
    try:
        return (await parser.parse()).multi_items()
    except MultiPartException as error:
        raise ProblemError(400, "broken-form", f"The form cannot be read: {error.message}") from None
    except (KeyError, UnicodeDecodeError):
        raise ProblemError(400, "broken-form", "The form cannot be read.") from None


def _takes_list(annotation: Any) -> bool:
    """Whether a field's type is a list, or may be one."""
    return get_origin(annotation) is list or any(_takes_list(part) for part in get_args(annotation))


def described(model: type[BaseModel], form: type[BaseModel] | None = None) -> dict[str, Any]:
    """The OpenAPI description of a body that a route parses itself, for `openapi_extra`. `form` default: the model."""
    content: dict[str, Any] = {
        "application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}},
        FORM: {"schema": _form_schema(form or model)},
    }
    return {"requestBody": {"required": True, "content": content}}


def _form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The model's fields as those of a form, pictures as files; what a form cannot hold is left out."""
    schema = model.model_json_schema()
    fields = {
        name: _as_upload(field) for name, field in schema["properties"].items() if "$ref" not in json.dumps(field)
    }
    return {
        "type": "object",
        "properties": fields,
        "required": [name for name in schema.get("required", []) if name in fields],
        "additionalProperties": False,
    }


def _as_upload(field: dict[str, Any]) -> dict[str, Any]:
    if field.get("pattern") == DATA_URL_PATTERN or field.get("format") == "binary":
        return {"type": "string", "format": "binary"}
    nested = {key: field[key] for key in ("items",) if key in field}
    changed = {key: _as_upload(value) for key, value in nested.items()}
    kinds = [_as_upload(kind) for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    return field | changed | ({"anyOf": kinds} if kinds else {})


PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "A problem document (RFC 9457)",
        "content": {"application/problem+json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
    }
}
