import subprocess
import sys

import pytest

from lexel.architectures.config import ResNetConfig, VisionTransformerConfig
from lexel.architectures.zoo import ARCHITECTURES, architecture
from lexel.errors import UsageError


def test_a_misspelt_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match=r'no architecture "ViT-B32"\. Did you mean "ViT-B-32"\?'):
        architecture("ViT-B32")


def test_the_well_known_ones_have_their_well_known_sizes():
    image, text = architecture("ViT-bigG-14").image, architecture("ViT-bigG-14").text
    assert isinstance(image, VisionTransformerConfig)
    assert (image.width, image.depth, image.heads, image.width // image.heads) == (1664, 48, 16, 104)
    assert (text.width, text.depth, text.heads, text.context_length, text.end_of_text) == (1280, 32, 20, 77, 49407)
    resnet = architecture("RN50x16").image
    assert isinstance(resnet, ResNetConfig)
    assert (resnet.image_size, resnet.width, resnet.heads) == (384, 96, 48)


def test_a_quickgelu_variant_differs_in_both_towers_activation_only():
    plain, quick = architecture("ViT-L-14"), architecture("ViT-L-14-quickgelu")
    assert quick.model_dump() == plain.model_dump() | {
        "image": plain.image.model_dump() | {"activation": "quick_gelu"},
        "text": plain.text.model_dump() | {"activation": "quick_gelu"},
    }
    assert architecture("RN50-quickgelu").image == architecture("RN50").image
    assert architecture("RN50-quickgelu").text.activation == "quick_gelu"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_entry_is_valid_as_it_would_be_read_from_a_file(name):
    config = architecture(name)
    assert type(config).model_validate_json(config.model_dump_json()) == config


def test_listing_the_zoo_and_its_costs_needs_no_torch():
    program = "import sys, lexel.architectures.cost; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
