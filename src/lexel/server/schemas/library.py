"""What is in the library, and what comes of changing it."""

from pydantic import BaseModel, Field


class CameraCount(BaseModel):
    """How many photos are of a camera."""

    camera: str
    photos: int


class LibraryAnswer(BaseModel):
    """The library in numbers; counts are of photos unless they say otherwise."""

    photos: int
    pictures: int = Field(description="distinct contents")
    vanished: int
    unreadable: int = Field(description="files")
    with_caption: int
    with_tags: int
    with_date: int
    with_place: int
    first_taken: str | None
    last_taken: str | None
    cameras: list[CameraCount] = Field(description="the most frequent")
    model: str
    fingerprint: str | None
    dimensions: int
    photo_bytes: int
    library_bytes: int
    read_only: bool


class UploadedPhoto(BaseModel):
    """What came of one upload."""

    name: str
    id: int | None = Field(description="of the photo; null where it could not be read")
    error: str | None = None


class UploadAnswer(BaseModel):
    """What came of the uploads, in their order."""

    photos: list[UploadedPhoto]
    added: int = Field(description="that were not there before")


class RemovalAnswer(BaseModel):
    """A photo that was removed."""

    removed: int = Field(description="its number")
    file_deleted: bool = Field(
        description="whether the file was the library's own, and is gone; others are not touched"
    )


class Health(BaseModel):
    """Whether the process lives, and may be asked."""

    status: str
