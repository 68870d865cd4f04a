import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

from tiny_painter import tiny_clip, train_tiny_painter

import lexel
from lexel.errors import UsageError
from lexel.generation.pictures.sphere import slerp


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("painter")
    train_tiny_painter(tiny_clip(folder / "clip"), folder / "painter")
    return lexel.Painter.load(folder / "painter")


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))


def pixels(drawn) -> np.ndarray:
    return np.stack([np.asarray(picture.image) for picture in drawn])


def test_pictures_of_a_text_are_rgb_of_the_painter_s_size_best_first(painter):
    drawn = painter.generate("a red circle", count=5, seed=1)
    assert {picture.image.size for picture in drawn} == {(8, 8)}
    assert {picture.image.mode for picture in drawn} == {"RGB"}
    scores = [picture.score for picture in drawn]
    assert scores == sorted(scores, reverse=True)
    assert sorted(picture.number for picture in drawn) == list(range(5))


def test_the_score_is_the_cosine_of_picture_and_text(painter):
    drawn = painter.generate("a red circle", count=2)
    cosines = painter.space.similarity([picture.image for picture in drawn], ["a red circle"])[:, 0]
    np.testing.assert_allclose([picture.score for picture in drawn], cosines, atol=1e-5)


def test_the_same_seed_gives_the_same_pictures_and_another_one_others(painter):
    first, again = painter.generate("a red circle", 3, seed=4), painter.generate("a red circle", 3, seed=4)
    np.testing.assert_array_equal(pixels(first), pixels(again))
    assert (pixels(first) != pixels(painter.generate("a red circle", 3, seed=5))).any()


def test_fewer_pictures_of_a_seed_are_the_first_of_more(painter):
    more = {picture.number: picture.image for picture in painter.generate("a red circle", 4, seed=4)}
    for picture in painter.generate("a red circle", 2, seed=4):
        difference = np.asarray(picture.image, int) - np.asarray(more[picture.number], int)
        assert abs(difference).max() <= 1  # a grey level, as batches of another size round otherwise


def test_the_best_are_kept(painter):
    kept = painter.generate("a red circle", 5, seed=1, keep=2)
    assert [p.number for p in kept] == [p.number for p in painter.generate("a red circle", 5, seed=1)[:2]]
    with pytest.raises(UsageError, match="6 of 5"):
        painter.generate("a red circle", 5, keep=6)


def test_variations_are_of_the_picture_s_own_vector(painter, photo):
    drawn = painter.vary(photo, 3, seed=2)
    own = painter.space.embed_images([photo])
    expected = painter.decode(np.repeat(own, 3, axis=0), seed=2)
    for picture in drawn:
        np.testing.assert_array_equal(np.asarray(picture.image), expected[picture.number].transpose(1, 2, 0))


def test_a_way_leads_from_one_end_to_the_other_in_equal_turns(painter, photo):
    drawn = painter.between(photo, "a blue square", 3, seed=2)
    assert [picture.share for picture in drawn] == [0.0, 0.5, 1.0]
    start, end = painter.space.embed_images([photo])[0], painter._vector_of("a blue square", 2)
    middle = painter.decoder.decode(
        np.stack([start, slerp(start, end, 0.5), end]), seed=2, numbers=[0] * 3, steps=None, guidance=None
    )
    np.testing.assert_array_equal(pixels(drawn), middle.transpose(0, 2, 3, 1))


def test_a_change_begins_at_the_picture_and_goes_towards_the_difference_of_texts(painter, photo):
    drawn = painter.change(photo, "a red circle", "a blue circle", 3, strength=0.6, guidance=1.0, steps=40)
    assert [picture.share for picture in drawn] == pytest.approx([0.0, 0.3, 0.6])
    own = painter._at_size(photo).transpose(1, 2, 0).astype(int)
    off = [abs(np.asarray(picture.image) - own).mean() for picture in drawn]
    other = [abs(np.asarray(picture.image) - own).mean() for picture in painter.vary(photo, 3, guidance=1.0)]
    assert off[0] < min(other) / 3  # the noise that was found makes the picture again; any other does not
    assert off[0] < off[2]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda p, photo: p.generate(" "), "text is empty"),
        (lambda p, photo: p.generate("a", count=0), "0 pictures"),
        (lambda p, photo: p.generate("a", count=10**6), "1,000,000 pictures"),
        (lambda p, photo: p.vary(photo, 2, keep=3), "3 of 2"),
        (lambda p, photo: p.vary(photo, 2, keep=0), "0 of 2"),
        (lambda p, photo: p.change(photo, "red", "red"), "mean the same"),
        (lambda p, photo: p.change(photo, "red", "blue", strength=1.5), "strength"),
    ],
    ids=["empty text", "no picture", "too many", "more kept than drawn", "none kept", "no change", "too strong"],
)
def test_what_cannot_be_drawn_is_refused(painter, photo, asked, said):
    with pytest.raises(UsageError, match=said):
        asked(painter, photo)
