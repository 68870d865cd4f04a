import textwrap

import pytest
import torch
import torch.nn.functional as F
from plain_losses import Case, make_mixed_case

from lexel.training.loss import contrastive
from lexel.training.loss.contrastive import contrastive_loss
from lexel.training.loss.settings import LossSettings


def documented_losses(case: Case, bias: float) -> dict[str, torch.Tensor]:
    """What the lines in the module's docstring compute."""
    lines = [line for line in (contrastive.__doc__ or "").splitlines() if not line or line.startswith("    ")]
    groups = case.groups
    names = {
        "torch": torch,
        "F": F,
        "images": case.images,
        "texts": case.texts,
        "scale": case.scale,
        "bias": bias,
        "same_image": groups.image[:, None] == groups.image,
        "same_text": groups.text[:, None] == groups.text,
        "label_is_text": groups.label[:, None] == groups.text,
    }
    exec(textwrap.dedent("\n".join(lines)), names)
    return names


@pytest.mark.parametrize("meanings", [3, 1000])
def test_the_losses_are_what_the_docstring_says(meanings):
    case = make_mixed_case(20, meanings)
    for kind, bias in (("softmax", 0.0), ("sigmoid", -3.0)):
        expected = documented_losses(case, bias)[f"{kind}_loss"]
        settings = LossSettings.model_validate({"kind": kind})
        found = contrastive_loss(
            case.images, case.texts, case.scale, torch.tensor(bias).double(), case.groups, settings
        )
        torch.testing.assert_close(found.loss, expected)


def test_a_sigmoid_loss_without_a_bias_is_refused():
    case = make_mixed_case(4, 3)
    with pytest.raises(ValueError, match="needs a bias"):
        contrastive_loss(case.images, case.texts, case.scale, None, case.groups, LossSettings(kind="sigmoid"))
