import subprocess
import sys

import pytest
import torch

from lexel.architectures.config import CLIPConfig, TextTransformerConfig, TimmConfig
from lexel.errors import UsageError
from lexel.models.clip import CLIP, init_weights
from lexel.models.timm import TimmTower

TEXT = TextTransformerConfig(context_length=8, vocabulary_size=20, end_of_text=19, width=16, depth=1, heads=1)
EVA = TimmConfig(model="eva02_tiny_patch14_224", image_size=224, pool="token", projection="trunk")
FAST = TimmConfig(model="fastvit_t8", image_size=64, pool="avg", projection="linear")


def test_without_timm_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['timm'] = None\n"
        "from lexel.architectures.config import TimmConfig\n"
        "from lexel.models.timm import TimmTower\n"
        "from lexel.errors import UsageError\n"
        "try: TimmTower(TimmConfig(model='fastvit_t8', image_size=64), 8)\n"
        "except UsageError as error: assert 'lexel[timm]' in str(error); print('refused')\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout == b"refused\n"


@pytest.fixture
def timm() -> None:
    pytest.importorskip("timm", reason="timm is not installed: pip install 'lexel[timm]'")


@pytest.mark.usefixtures("timm")
class TestWithTimm:
    @pytest.mark.parametrize(
        ("projection", "shapes"),
        [
            ("trunk", {}),
            ("none", {}),
            ("linear", {"weight": (8, 768)}),
            ("linear_bias", {"weight": (8, 768), "bias": (8,)}),
            ("mlp", {"0.weight": (16, 768), "0.bias": (16,), "2.weight": (8, 16)}),
            ("mlp_bias", {"0.weight": (16, 768), "0.bias": (16,), "2.weight": (8, 16), "2.bias": (8,)}),
        ],
    )
    def test_the_projection_has_these_tensors(self, projection: str, shapes: dict[str, tuple[int, ...]]) -> None:
        with torch.device("meta"):
            model = TimmTower(FAST.model_copy(update={"projection": projection}), 8)
        assert {name: tuple(tensor.shape) for name, tensor in model.projection.state_dict().items()} == shapes
        width = 768 if projection == "none" else 8
        assert model.eval()(torch.empty(2, 3, 64, 64, device="meta")).shape == (2, width)

    @pytest.mark.parametrize("image", [EVA, FAST])
    def test_a_tower_built_on_meta_takes_a_state_dict_whole(self, image: TimmConfig) -> None:
        """Also what timm computes and does not store, such as rotary positions, is there."""
        first = CLIP(CLIPConfig(embedding=8, image=image, text=TEXT))
        init_weights(first, 0)
        with torch.device("meta"):
            clip = CLIP(first.config)
        clip.load_state_dict(first.state_dict(), assign=True)
        assert not any(tensor.is_meta for tensor in [*clip.parameters(), *clip.buffers()])
        pixels = torch.randn(2, 3, image.image_size, image.image_size)
        with torch.no_grad():
            torch.testing.assert_close(clip.eval().encode_image(pixels), first.eval().encode_image(pixels))

    def test_fresh_weights_follow_the_seed(self) -> None:
        def fresh(seed: int) -> dict[str, torch.Tensor]:
            clip = CLIP(CLIPConfig(embedding=8, image=FAST, text=TEXT))
            init_weights(clip, seed)
            return clip.state_dict()

        one, same, other = fresh(1), fresh(1), fresh(2)
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert sum(not torch.equal(one[name], other[name]) for name in one if name.startswith("image.trunk")) > 10

    def test_a_model_that_timm_does_not_have_is_refused_by_name(self) -> None:
        with pytest.raises(UsageError, match='has no model "vit_of_tomorrow"'):
            TimmTower(TimmConfig(model="vit_of_tomorrow", image_size=224), 8)

    def test_pictures_that_are_not_square_are_refused(self) -> None:
        with torch.device("meta"):
            model = TimmTower(FAST, 8)
        with pytest.raises(ValueError, match="but their shape is"):
            model(torch.empty(1, 3, 64, 32))
