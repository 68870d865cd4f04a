"""The limits on what one request may hold, beside its bytes."""

from collections.abc import Sequence

from lexel.server.http.problems import ProblemError, too_many
from lexel.server.settings import ServerSettings


def check_images(images: Sequence[bytes], settings: ServerSettings) -> None:
    """Raise ProblemError for too many pictures, or one that is too large; pixels are counted when it is decoded."""
    if len(images) > settings.max_images:
        raise too_many("images", len(images), settings.max_images)
    for number, image in enumerate(images, start=1):
        if len(image) > settings.max_image_bytes:
            detail = f"Image {number} has {len(image):,} bytes; {settings.max_image_bytes:,} are allowed."
            raise ProblemError(413, "image-too-large", detail)


def check_lengths(texts: Sequence[str], settings: ServerSettings, what: str = "texts") -> None:
    """Raise ProblemError for too many texts, or one that is too long."""
    limit = settings.max_labels if what == "labels" else settings.max_texts
    if len(texts) > limit:
        raise too_many(what, len(texts), limit)
    for number, text in enumerate(texts, start=1):
        if len(text) > settings.max_text_characters:
            detail = (
                f"{what[:-1].capitalize()} {number} has {len(text):,} characters; "
                f"{settings.max_text_characters:,} are allowed."
            )
            raise ProblemError(422, "text-too-long", detail)
