from pictures import smooth
from PIL import Image, ImageOps

from lexel.data.audit.looks import look_at
from lexel.data.audit.odd import SHOWN_ODD, SHOWN_RANDOM, odd_pictures
from lexel.data.pairs import ImageFile, Pair, Source


def test_pictures_that_stand_out_are_named_by_how(tmp_path):
    pictures = {f"usual{seed}": smooth(seed) for seed in range(30)}
    pictures |= {
        "small": smooth(40, 12, 9),
        "sliver": smooth(41, 500, 90),
        "dark": Image.eval(smooth(42), lambda value: value // 12),
        "bright": ImageOps.expand(Image.new("RGB", (12, 9)), (54, 40, 54, 41), "white"),
        "flat": Image.new("RGB", (120, 90), "teal"),
    }
    for name, image in pictures.items():
        image.save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"x")
    names = [*pictures, "broken"]
    looks = look_at(Source("s", [Pair(name, ImageFile(tmp_path / f"{name}.png")) for name in names]))
    found = {kind: [names[index] for index in indices] for kind, indices in odd_pictures(looks).items()}
    assert next(iter(found)) == "random"
    assert len(found["random"]) == SHOWN_RANDOM
    assert "broken" not in found["random"]
    assert found["smallest"][0] == "small"
    assert found["slivers"] == ["sliver"]
    assert found["darkest"] == ["dark"]
    assert found["brightest"] == ["bright"]
    assert found["flat"] == ["flat"]
    assert all(len(kept) <= SHOWN_ODD for kind, kept in found.items() if kind != "random")
    assert odd_pictures(looks) == odd_pictures(looks)
