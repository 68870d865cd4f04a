import numpy as np
from tiny_towers import KINDS, build, pixels

from lexel.generation.heat_maps import occlusion
from lexel.generation.heat_maps.occlusion import occlusion_maps
from lexel.runtimes.torch import TorchRuntime


class OnlyTowers:
    """What a heat map by occlusion needs of an encoder."""

    def __init__(self, clip):
        self.runtime = TorchRuntime(clip)


def test_a_map_is_the_mean_fall_over_the_windows_that_cover_a_pixel(monkeypatch):
    monkeypatch.setattr(occlusion, "WINDOWS", (0.5,))
    monkeypatch.setattr(occlusion, "STEPS_IN_WINDOW", 2)
    clip = build(KINDS["clip"])
    picture = pixels(clip, 1)[0]
    texts = np.random.default_rng(0).normal(size=(2, 24)).astype(np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    encoder = OnlyTowers(clip)

    def cosines(image):
        vector = encoder.runtime.image_vectors(image[None])[0]
        return texts @ (vector / np.linalg.norm(vector))

    fall, covered, whole = np.zeros((2, 32, 32)), np.zeros((32, 32)), cosines(picture)
    for y in range(-8, 24, 8):
        for x in range(-8, 24, 8):
            changed, here = picture.copy(), np.zeros((32, 32), bool)
            here[max(0, y) : y + 16, max(0, x) : x + 16] = True
            changed[:, here] = picture.mean(axis=(1, 2))[:, None]
            fall[:, here] += (whole - cosines(changed))[:, None]
            covered[here] += 1
    expected = np.clip(fall / covered, 0, None)
    np.testing.assert_allclose(occlusion_maps(encoder, picture, texts), expected, atol=1e-5)


def test_every_pixel_is_covered_at_any_size(monkeypatch):
    for size in (16, 24, 32):
        config = KINDS["clip"].model_copy(
            update={"image": KINDS["clip"].image.model_copy(update={"image_size": size, "patch_size": 8})}
        )
        clip = build(config)
        maps = occlusion_maps(OnlyTowers(clip), pixels(clip, 1)[0], np.ones((1, 24), np.float32))
        assert np.isfinite(maps).all()
