"""Tars written member by member, as other programs write shards, whole and damaged."""

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from pictures import picture


def jpeg(seed: int = 0, width: int = 24, height: int = 16) -> bytes:
    content = io.BytesIO()
    picture(seed, width, height).save(content, "JPEG")
    return content.getvalue()


def write_tar(path: Path, members: Iterable[tuple[str, bytes | str | dict]], mode: str = "w") -> Path:
    """A tar of these members, in their order; objects are written as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            if isinstance(content, dict):
                content = json.dumps(content)
            if isinstance(content, str):
                content = content.encode("utf-8", "surrogateescape")
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def captioned(numbers: Iterable[int]) -> list[tuple[str, bytes | str | dict]]:
    """A picture and a caption for each number."""
    members: list[tuple[str, bytes | str | dict]] = []
    for number in numbers:
        members += [(f"{number:06d}.jpg", jpeg(number)), (f"{number:06d}.txt", f"picture {number}")]
    return members
