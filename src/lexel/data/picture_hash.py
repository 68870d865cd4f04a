"""Hashes by which a picture is recognised again: the first 8 bytes of the SHA-256 of its file.

Equal files have equal hashes, wherever they lie and whatever they are called. A picture that was resized or saved again
has another one.
"""

import hashlib

from PIL import Image

from lexel.data.pairs import EmbeddedImage, ImageFile, Picture, ShardImage, TableImage
from lexel.errors import BadImageError
from lexel.images import decode, read_file

HASH_BYTES = 8


def load_with_hash(picture: Picture, at_least: int | None = None) -> tuple[Image.Image, int]:
    """The picture's pixels and its hash, from one reading of its file. Raises BadImageError as `Picture.load` does.

    With `at_least` a large JPEG may come smaller, with no side under that many pixels.
    """
    if isinstance(picture, ImageFile | ShardImage | TableImage):
        content = read_file(picture.path) if isinstance(picture, ImageFile) else picture.content()
        try:
            return decode(content, at_least, oversampling=1), _hash(content)
        except BadImageError as error:
            raise BadImageError(f"{picture.path}: {error}") from error.__cause__
    if isinstance(picture, EmbeddedImage):
        return decode(picture.content, at_least, oversampling=1), _hash(picture.content)
    return picture.load(), hash_of(picture)


def hash_of(picture: Picture) -> int:
    """The picture's hash, without decoding it. Raises BadImageError where its file cannot be read.

    A picture that is drawn when it is needed, such as a scene, has no file: the hash is that of its description.
    """
    match picture:
        case ImageFile(path):
            return _hash(read_file(path))
        case EmbeddedImage(content):
            return _hash(content)
        case ShardImage() | TableImage():
            return _hash(picture.content())
        case _:
            return _hash(repr(picture).encode())


def _hash(content: bytes) -> int:
    return int.from_bytes(hashlib.sha256(content).digest()[:HASH_BYTES], "big")
