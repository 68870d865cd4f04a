import numpy as np
from colour_encoder import ColourEncoder, captioned_source

from lexel.checkpoints.model_folder.training_pictures import TrainingPictures
from lexel.data.pairs import ImageFile
from lexel.data.picture_hash import hash_of
from lexel.evaluation.evaluate import evaluate
from lexel.evaluation.report.overlap import Overlap, training_overlap


def encoder_that_learned(pictures, limit=2**64) -> ColourEncoder:
    encoder = ColourEncoder()
    hashes = np.sort(np.array([hash_of(picture) for picture in pictures], np.uint64))
    encoder.training_pictures = TrainingPictures(hashes[hashes < limit] if limit < 2**64 else hashes, limit)
    return encoder


def test_pictures_that_were_learned_from_are_counted_and_warned_of():
    source = captioned_source()
    pictures = [pair.picture for pair in source.pairs]
    encoder = encoder_that_learned(pictures[:5])
    assert training_overlap(encoder, pictures) == Overlap(judged=len(pictures), known=5)
    warnings = evaluate(encoder, source).sources[0].warnings
    assert f"5 of the {len(pictures)} pictures are ones that the model has learned from" in warnings[0]


def test_nothing_is_said_where_no_picture_is_known_or_the_model_does_not_tell():
    source = captioned_source()
    assert training_overlap(ColourEncoder(), [pair.picture for pair in source.pairs]) is None
    for encoder in (ColourEncoder(), encoder_that_learned([])):
        assert not any("learned from" in warning for warning in evaluate(encoder, source).sources[0].warnings)


def test_of_a_sampled_set_only_the_pictures_that_could_be_in_it_are_judged():
    source = captioned_source()
    pictures = [pair.picture for pair in source.pairs]
    hashes = sorted(hash_of(picture) for picture in pictures)
    encoder = encoder_that_learned(pictures, limit=hashes[7])
    assert training_overlap(encoder, pictures) == Overlap(judged=7, known=7)
    assert "7 of the 7 pictures that could be looked up" in evaluate(encoder, source).sources[0].warnings[0]


def test_a_picture_that_has_gone_meanwhile_is_not_judged(tmp_path):
    assert training_overlap(encoder_that_learned([]), [ImageFile(tmp_path / "gone.png")]) == Overlap(0, 0)
