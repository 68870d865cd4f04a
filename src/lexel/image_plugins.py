"""What Pillow needs beside itself: HEIC by pillow-heif where it is installed, and a libtiff that keeps silent."""

import ctypes
from functools import cache
from pathlib import Path

import PIL


@cache
def register_heic() -> bool:
    """Let Pillow read HEIC and HEIF; False where pillow-heif is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


@cache
def silence_libtiff() -> None:
    """Keep Pillow's libtiff from writing to standard error, for all threads; what fails raises an exception anyway.

    A damaged TIFF brings hundreds of lines. Pillow's wheels bring libtiff as a shared library, whose handlers can be
    taken away; where it is elsewhere its lines stay.
    """
    package = Path(PIL.__file__).parent
    folders = (package.parent / "pillow.libs", package / ".dylibs")
    for library in (file for folder in folders for file in folder.glob("libtiff*")):
        tiff = ctypes.CDLL(str(library))
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            handler = getattr(tiff, name)
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)
