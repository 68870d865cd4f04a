import numpy as np
import pytest
import torch
from guided import PlainPixels, TinyGan
from PIL import Image
from tiny_towers import KINDS, build, write_folder

import lexel
from lexel.errors import UsageError
from lexel.generation.guidance import choose, descent
from lexel.generation.guidance.module_generator import ModuleGenerator

QUICK = {"views": 4}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return lexel.load(write_folder(tmp_path_factory.mktemp("models") / "clip", build(KINDS["clip"])))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return lexel.load(write_folder(tmp_path_factory.mktemp("models") / "resnet", build(KINDS["resnet"])))


@pytest.mark.parametrize("generator", ["strokes", "pixels"])
def test_the_wanted_text_is_approached_and_the_same_seed_gives_the_same_picture(encoder, other, generator):
    def made(seed):
        return lexel.guide(
            encoder, "a red circle", generator=generator, judge=other, steps=8, seed=seed, strokes=6, **QUICK
        )

    first, again, another = made(1), made(1), made(2)
    (score,) = first.guiding.goals
    assert score.after > score.before + 0.002
    assert score.rank >= 1
    assert score.of > 50
    assert first.judge.model == "tiny"
    assert np.array_equal(first.picture, again.picture)
    assert first.as_json() | {"seconds": 0} == again.as_json() | {"seconds": 0}
    assert not np.array_equal(first.picture, another.picture)
    assert first.steps == 8
    assert not first.stopped


def test_scores_are_the_encoder_s_own_of_the_picture(encoder):
    made = lexel.guide(encoder, "a red circle", generator="pixels", steps=3, distractors=["x", "nothing"], **QUICK)
    cosines = encoder.similarity([made.picture], ["a red circle", "x", "nothing"])[0]
    (score,) = made.guiding.goals
    assert score.after == pytest.approx(float(cosines[0]), abs=1e-5)
    assert score.rank == 1 + int((cosines[1:] >= cosines[0]).sum())
    assert score.of == 3
    assert score.match is None  # this model has no calibration


def test_a_picture_may_be_the_goal(encoder):
    goal = Image.new("RGB", (40, 40), "red")
    made = lexel.guide(encoder, generator="pixels", like=goal, steps=12, **QUICK)
    (score,) = made.guiding.goals
    assert score.kind == "picture"
    assert score.after > score.before
    assert score.rank is None
    made_vector, goal_vector = encoder.embed_images([made.picture, goal])
    assert score.after == pytest.approx(float(made_vector @ goal_vector), abs=1e-5)


def test_a_change_moves_a_start_along_the_way_of_the_texts(encoder):
    start = Image.fromarray(np.random.default_rng(0).integers(60, 200, (32, 32, 3), np.uint8))
    wish = {"change": ("a red circle", "nothing"), "start": start, "generator": "pixels", **QUICK}
    made = lexel.guide(encoder, steps=15, film=True, **wish)
    (score,) = made.guiding.goals
    assert score.kind == "change"
    assert score.before is None
    before, after = encoder.embed_images([start, made.picture])
    way = np.subtract(*encoder.embed_texts(["nothing", "a red circle"]))
    moved = after - before
    assert score.after == pytest.approx(moved @ way / np.linalg.norm(moved) / np.linalg.norm(way), abs=0.02)
    assert score.after > 0.1
    first = np.asarray(made.frames[0].resize((32, 32), Image.Resampling.BOX), float)
    assert np.abs(first - np.asarray(start, float)).mean() < 12  # the film begins with the start
    pulled = lexel.guide(encoder, steps=15, pull=100.0, **wish)
    distances = [np.abs(np.asarray(one.picture, float) - np.asarray(start, float)).mean() for one in (pulled, made)]
    assert distances[0] < distances[1]


def test_strokes_begin_near_a_start(encoder, monkeypatch):
    monkeypatch.setattr(choose, "FITTING_STEPS", 30)
    start = Image.new("RGB", (32, 32), (30, 60, 200))
    made = lexel.guide(encoder, "a red circle", start=start, strokes=40, steps=1, film=True, **QUICK)
    mean = np.asarray(made.frames[0], float).mean(axis=(0, 1))
    assert mean[2] - mean[0] > 60  # strokes on white began as any colours


def test_any_module_is_steered_and_keeps_its_weights(encoder):
    gan = TinyGan()
    weights = {name: tensor.clone() for name, tensor in gan.state_dict().items()}
    z = torch.zeros(3, 8)
    generator = ModuleGenerator(gan, z, value_range=(-1, 1))
    before = (
        encoder.embed_images([np.asarray(p) for p in _pictures(generator)]) @ encoder.embed_texts(["a red circle"]).T
    )
    made = lexel.guide(encoder, "a red circle", generator=generator, steps=15, pull=0.01, **QUICK)
    assert len(made.pictures) == 3
    after = encoder.embed_images(made.pictures) @ encoder.embed_texts(["a red circle"]).T
    assert (after > before).all()
    assert made.best == int(after[:, 0].argmax())
    assert not z.any()  # the caller's latent is copied
    assert all(torch.equal(tensor, weights[name]) for name, tensor in gan.state_dict().items())
    assert all(parameter.grad is None for parameter in gan.parameters())


@pytest.mark.parametrize("number_format", [torch.float64, torch.bfloat16])
def test_a_module_may_compute_in_another_number_format(encoder, number_format):
    gan = TinyGan().to(number_format)
    generator = ModuleGenerator(gan, torch.zeros(1, 8, dtype=number_format), value_range=(-1, 1))
    made = lexel.guide(encoder, change=("nothing", "a red circle"), generator=generator, steps=5, **QUICK)
    assert made.guiding.goals[0].after > 0
    assert generator.latent.dtype == number_format


def _pictures(generator):
    return (generator.images().detach().permute(0, 2, 3, 1).numpy() * 255).round().astype(np.uint8)


def test_the_model_is_left_as_it_was(encoder):
    clip = encoder.clip
    lexel.guide(encoder, "a red circle", generator="pixels", steps=2, **QUICK)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in clip.parameters())


def test_views_of_a_picture_are_embedded_as_the_encoder_embeds_it(encoder):
    """The loss of one view, which is the whole picture, is 1 − the encoder's own cosine."""
    from lexel.generation.guidance.goals import Wish, goals_of
    from lexel.generation.guidance.loss import GuidanceLoss

    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    images = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).float() / 255
    settings = descent.GuidanceSettings(views=1, noise=0)
    loss = GuidanceLoss(encoder, goals_of(Wish("a red circle"), encoder), settings, 0, images)
    with torch.no_grad():
        ours = float(loss(images, 0.0))
    assert ours == pytest.approx(1 - float(encoder.similarity([pixels], ["a red circle"])[0, 0]), abs=1e-4)


def test_ctrl_c_keeps_what_is_there(encoder, monkeypatch):
    import signal

    class Interrupting(PlainPixels):
        calls = 0

        def settle(self):
            super().settle()
            Interrupting.calls += 1
            if Interrupting.calls == 3:
                signal.raise_signal(signal.SIGINT)

    generator = Interrupting()
    made = lexel.guide(encoder, "a red circle", generator=generator, steps=50, film=True, **QUICK)
    assert made.stopped
    assert made.steps == 3
    assert len(made.frames) >= 2
    assert np.array_equal(made.picture, _pictures(generator)[0])


BAD = {
    "not a number": (lambda images: images * float("nan"), "not a number"),
    "range": (lambda images: images * 255, "from 128 to 128 at the start; pictures are in 0..1"),
    "channels": (lambda images: images[:, :1], r"gives \(1, 1, 16, 16\)"),
    "no batch": (lambda images: images[0], r"gives \(3, 16, 16\)"),
    "no square": (lambda images: images[:, :, :8], "16 × 8 pixels"),
    "no tensor": (lambda images: images.detach().numpy(), "gives ndarray"),
    "integers": (lambda images: images.long(), "int64"),
    "cut off": (lambda images: images.detach(), "without gradients"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_generator_that_gives_no_pictures_is_refused(encoder, name):
    spoil, message = BAD[name]
    with pytest.raises(UsageError, match=message):
        lexel.guide(encoder, "a red circle", generator=PlainPixels(spoil=spoil), steps=2, **QUICK)


def test_a_generator_that_fails_on_the_way_says_at_which_step(encoder):
    calls = []

    def spoil(images):
        calls.append(1)
        return images * float("nan") if len(calls) > 4 else images

    with pytest.raises(UsageError, match="at step 3"):  # the start, its picture, and two steps came before
        lexel.guide(encoder, "a red circle", generator=PlainPixels(spoil=spoil), steps=9, **QUICK)


def test_latents_must_be_there_and_free(encoder):
    class Empty(PlainPixels):
        def latents(self):
            return []

    with pytest.raises(UsageError, match="no latents"):
        lexel.guide(encoder, "x", generator=Empty(), steps=1)
    whole = PlainPixels()
    whole.pixels = torch.ones(1, 3, 16, 16, dtype=torch.int64)
    with pytest.raises(UsageError, match="floating-point"):
        lexel.guide(encoder, "x", generator=whole, steps=1)


def test_a_module_with_other_bounds_or_outputs_is_named(encoder):
    with pytest.raises(UsageError, match=r"TinyGan gives values from -.* far outside the value_range \(0, 1\)"):
        lexel.guide(encoder, "x", generator=ModuleGenerator(TinyGan(), torch.randn(1, 8)), steps=1)
    with pytest.raises(UsageError, match="gives dict, not a tensor"):
        lexel.guide(encoder, "x", generator=ModuleGenerator(lambda z: {"sample": z}, torch.randn(1, 8)), steps=1)
    with pytest.raises(UsageError, match="must rise"):
        ModuleGenerator(TinyGan(), torch.randn(1, 8), value_range=(1, 1))


def test_wishes_and_settings_that_make_no_sense_are_refused(encoder, other):
    with pytest.raises(UsageError, match="Say what the picture should show"):
        lexel.guide(encoder)
    with pytest.raises(UsageError, match="The text is empty"):
        lexel.guide(encoder, " ")
    with pytest.raises(UsageError, match="to the same text"):
        lexel.guide(encoder, change=("a", "a"))
    with pytest.raises(UsageError, match="steps = 0"):
        lexel.guide(encoder, "x", steps=0)
    with pytest.raises(UsageError, match=r'no setting "wievs". Did you mean "views"'):
        lexel.guide(encoder, "x", wievs=3)
    with pytest.raises(UsageError, match='no generator "stroke"'):
        lexel.guide(encoder, "x", generator="stroke")
    with pytest.raises(UsageError, match="The seed is -1"):
        lexel.guide(encoder, "x", seed=-1)
    with pytest.raises(UsageError, match="0 strokes"):
        lexel.guide(encoder, "x", strokes=0)
    with pytest.raises(UsageError, match="5 pixels a side"):
        lexel.guide(encoder, "x", size=5)
    with pytest.raises(UsageError, match="guiding model itself"):
        lexel.guide(encoder, "x", judge=encoder)
    with pytest.raises(UsageError, match="no picture to start from"):
        lexel.guide(encoder, "x", generator=PlainPixels(), start=Image.new("RGB", (8, 8)))


def test_a_model_without_gradients_is_refused(encoder):
    half = lexel.load(encoder.source.model, number_format="bfloat16")
    with pytest.raises(UsageError, match="computes in bfloat16"):
        lexel.guide(half, "x")

    class Exported:
        number_format = "int8"

        def __getattr__(self, name):
            return getattr(encoder.runtime, name)

    exported = lexel.load(encoder.source.model)
    exported.runtime = Exported()
    with pytest.raises(UsageError, match="is exported, so it gives no gradients"):
        lexel.guide(exported, "x")
