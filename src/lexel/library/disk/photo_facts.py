"""The facts in a picture file besides its pixels: its size, when, where and with what it was taken, keywords.

Only headers are read. EXIF is written by anybody's program: whatever in it is damaged or cannot be is taken as absent.
"""

import json
import math
import re
from datetime import datetime
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from lexel.images import open_header
from lexel.library.disk.embedded_words import read_words
from lexel.library.store.changes import PhotoFacts

_CAMERA, _GPS = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo
_DATE = re.compile(r"\s*(\d{4})\D(\d\d)\D(\d\d)\D+(\d\d)\D(\d\d)(?:\D(\d\d))?")
_SIDEWAYS = {5, 6, 7, 8}
MAX_CAMERA_CHARACTERS = 100


def read_facts(file: BinaryIO) -> PhotoFacts:
    """The facts of the picture in an open file. What is no picture has none of them."""
    try:
        with open_header(file) as image:
            width, height = image.size
            words = read_words(image)
            exif = _exif(image)
            camera, place = _directory(exif, _CAMERA), _directory(exif, _GPS)  # which a TIFF keeps in the file
    except Exception:  # any: whether it is a picture is for `decode` to say
        return PhotoFacts()
    if exif.get(ExifTags.Base.Orientation) in _SIDEWAYS:
        width, height = height, width
    latitude, longitude = _place(place)
    keywords = json.dumps(words.keywords, ensure_ascii=False)
    return PhotoFacts(
        width, height, _taken(exif, camera), latitude, longitude, _model(exif), keywords, words.description
    )


def _exif(image: Image.Image) -> Image.Exif:
    if image.format != "PNG":
        return image.getexif()
    exif = Image.Exif()  # a PNG's getexif would decode it in search of one behind the pixels
    if "exif" in image.info:
        exif.load(image.info["exif"])
    return exif


def _directory(exif: Image.Exif, number: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(number))
    except Exception:  # any: damaged
        return {}


def _taken(exif: Image.Exif, camera: dict[int, Any]) -> str | None:
    """When the picture was taken, else digitized, else written."""
    for value in (
        camera.get(ExifTags.Base.DateTimeOriginal),
        camera.get(ExifTags.Base.DateTimeDigitized),
        exif.get(ExifTags.Base.DateTime),
    ):
        found = _DATE.match(value) if isinstance(value, str) else None
        if found:
            try:
                year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
                return datetime(year, month, day, hour, minute, second).isoformat()
            except ValueError:  # such as 0000:00:00
                continue
    return None


def _place(place: dict[int, Any]) -> tuple[float | None, float | None]:
    latitude = _degrees(place.get(ExifTags.GPS.GPSLatitude), place.get(ExifTags.GPS.GPSLatitudeRef), "S", 90)
    longitude = _degrees(place.get(ExifTags.GPS.GPSLongitude), place.get(ExifTags.GPS.GPSLongitudeRef), "W", 180)
    if latitude is None or longitude is None or latitude == longitude == 0:  # how cameras without a fix write none
        return None, None
    return latitude, longitude


def _degrees(value: Any, side: Any, negative: str, most: int) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    result = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(result) or not 0 <= result <= most:
        return None
    return round(-result if str(side).strip("\0 ").upper() == negative else result, 7)


def _model(exif: Image.Exif) -> str | None:
    make, model = (_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
    if make and model and model.lower().startswith(make.split()[0].lower()):
        return model
    return f"{make} {model}".strip() or None


def _text(value: Any) -> str:
    return " ".join(value.replace("\0", " ").split())[:MAX_CAMERA_CHARACTERS] if isinstance(value, str) else ""
