"""Heat maps over their picture as one HTML file that needs nothing else."""

from pathlib import Path

import numpy as np
from PIL import Image

from lexel.evaluation.report.page import data_uri, page_environment
from lexel.extras import missing_library
from lexel.files import write_atomically
from lexel.generation.heat_maps.explain import ExplainedPicture

SIDE = 480  # pixels, of a picture on the page
SHOWN = 0.75  # how much of the picture the strongest place covers
METHODS = {
    "attention": "gradient times attention, carried through the blocks (Chefer et al. 2021)",
    "convolutions": "where gradients (Grad-CAM, Selvaraju et al. 2017) and covering parts of the picture agree",
    "occlusion": "covering parts of the picture and seeing how far the cosine falls (Zeiler and Fergus 2014)",
}


def write_heat_maps(path: Path, explained: ExplainedPicture, *, name: str, model: str) -> None:
    """Write the page. Raises OSError or UsageError, the old file untouched."""
    picture = explained.image.convert("RGB")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    overlays = [data_uri(heat_over(picture, text.heat), "WEBP") for text in explained.texts]
    page = page_environment(Path(__file__).parent).get_template("heat_maps.html.jinja")
    write_atomically(
        path,
        page.render(
            name=name,
            model=model,
            picture=data_uri(picture, "WEBP"),
            width=explained.image.width,
            height=explained.image.height,
            method=METHODS[explained.method],
            texts=list(zip(explained.texts, overlays, strict=True)),
        ),
    )


def heat_over(picture: Image.Image, heat: np.ndarray) -> Image.Image:
    """The picture with the map over it: grey where the map is 0, and the brighter in colour the stronger it is."""
    try:
        from matplotlib import colormaps
    except ImportError as error:
        raise missing_library("Heat maps over a picture", "matplotlib", error) from None
    strength = np.asarray(Image.fromarray(heat).resize(picture.size, Image.Resampling.BILINEAR)).clip(0, 1)
    colour = colormaps["inferno"](0.25 + 0.75 * strength)[..., :3] * 255
    ground = np.asarray(Image.blend(picture.convert("L").convert("RGB"), picture, 0.35), np.float32)
    cover = SHOWN * strength[..., None]
    return Image.fromarray((ground * (1 - cover) + colour * cover).round().astype(np.uint8))
