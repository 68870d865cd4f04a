import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_recipe

import lexel
from lexel.data.loader import BatchMaker, load_batches
from lexel.data.order import Order
from lexel.data.readers import read_source
from lexel.errors import BadImageError
from lexel.runtimes.torch import TorchRuntime
from lexel.training.distributed.shared_encoder import SharedEncoder
from lexel.training.distributed.world import World
from lexel.training.inputs import embedding_cache as module
from lexel.training.inputs.embedding_cache import embed_pictures, embed_texts
from lexel.training.inputs.input_reader import InputReader
from lexel.training.inputs.training_data import TrainingData, gather

COUNT = 40


@pytest.fixture
def encoder(tiny_model) -> SharedEncoder:
    return shared(lexel.load(tiny_model, device="cpu"))


def shared(loaded: lexel.Encoder) -> SharedEncoder:
    """The loaded model as a training that is alone has it."""
    clip = loaded.clip
    world = World(0, 1, clip.logit_scale.device)
    return SharedEncoder(
        TorchRuntime(clip), loaded.tokenizer, loaded.preprocessing, name="tiny", fingerprint="", world=world
    )


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Pictures with captions, number 7 of them unreadable."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    rows = ["file_name,caption"]
    for number, pair in enumerate(read_source(f"scenes:{COUNT}/train").pairs):
        pair.picture.load().save(folder / f"{number:02}.png")
        rows.append(f'{number:02}.png,"{pair.captions[0]}"')
    (folder / "07.png").write_bytes(b"not a picture")
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


def material_of(folder: Path) -> TrainingData:
    source = {"source": str(folder)}
    return gather(tiny_recipe(data={"sources": [source, source | {"weight": 2.0}]}), InputReader())


def maker(training_data: TrainingData, encoder: SharedEncoder, **embedded) -> BatchMaker:
    order = Order([len(s.pairs) for s in training_data.sources], [s.weight for s in training_data.sources], seed=3)
    return BatchMaker(
        sources=training_data.sources,
        order=order,
        batch_size=12,
        tokenizer=encoder.tokenizer,
        preprocessing=encoder.preprocessing,
        augmentation=tiny_recipe().augmentation,
        **embedded,
    )


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """The number of pictures in each call that embeds some."""
    calls: list[int] = []
    whole = SharedEncoder.embed_readable

    def counting(self, images, what=None):
        calls.append(len(images))
        return whole(self, images, what)

    monkeypatch.setattr(SharedEncoder, "embed_readable", counting)
    return calls


def test_each_row_is_the_embedding_of_its_picture_and_bad_ones_are_named(encoder, pictures, tmp_path):
    training_data = material_of(pictures)
    found = embed_pictures(tmp_path / "kept", encoder, training_data)
    order = Order([COUNT, COUNT], [1, 2], seed=0)
    for position in range(0, order.epoch_size, 7):
        sample = order.at(position)
        picture = training_data.sources[sample.source].pairs[sample.index].picture
        if picture.path.name == "07.png":
            continue
        np.testing.assert_allclose(found.find(sample), encoder.embed_images([picture])[0], atol=1e-6)
    (row, other), reason = sorted(found.bad), set(found.bad.values())
    assert other == row + COUNT
    assert "not an image" in reason.pop()
    assert training_data.sources[0].pairs[row].key == "07.png"


def test_batches_hold_embeddings_and_no_picture_is_opened_any_more(encoder, pictures, tmp_path):
    training_data = material_of(pictures)
    plain = [maker(training_data, encoder)[step] for step in range(12)]
    embedded = embed_pictures(tmp_path / "kept", encoder, training_data)
    for picture in pictures.glob("*.png"):
        picture.unlink()
    quick = [maker(training_data, encoder, pictures=embedded)[step] for step in range(12)]
    for before, after in zip(plain, quick, strict=True):
        assert after.pixels is None
        assert after.image_vectors.shape == (len(before.keys), 128)
        assert (after.keys, [key for key, _ in after.bad]) == (before.keys, [key for key, _ in before.bad])
        assert after.ids.equal(before.ids), "the captions are drawn as ever"
    assert any(batch.bad for batch in quick)


def test_workers_make_the_same_batches_of_embeddings(encoder, pictures, tmp_path):
    training_data = material_of(pictures)
    made = maker(
        training_data,
        encoder,
        pictures=embed_pictures(tmp_path / "kept", encoder, training_data),
        texts=embed_texts(tmp_path / "kept", encoder, training_data),
    )
    alone, helped = (list(load_batches(made, start=0, stop=4, workers=workers)) for workers in (0, 2))
    for first, second in zip(alone, helped, strict=True):
        assert first.image_vectors.equal(second.image_vectors)
        assert first.text_vectors.equal(second.text_vectors)
        assert first.ids is None


def test_each_text_that_is_drawn_has_its_embedding(encoder, tmp_path):
    """Labels in templates and captions, as the loader draws them."""
    recipe = tiny_recipe(("data.sources.0.label_share=0.5",))
    training_data = gather(recipe, InputReader())
    texts = embed_texts(tmp_path, encoder, training_data)
    plain, embedded = maker(training_data, encoder), maker(training_data, encoder, texts=texts)
    for step in range(6):
        ids, batch = plain[step].ids.numpy(), embedded[step]
        vectors = encoder.runtime.text_vectors(ids)
        expected = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        np.testing.assert_allclose(batch.text_vectors.numpy(), expected, atol=1e-5)
    assert all(" " in text for text in texts.row_of)


def test_what_was_cut_off_goes_on_with_the_missing_rows(encoder, pictures, tmp_path, monkeypatch, counted):
    monkeypatch.setattr(module, "CHUNK_ROWS", 16)
    training_data = material_of(pictures)
    whole = embed_pictures(tmp_path / "whole", encoder, training_data)
    rows = sum(len(source.pairs) for source in training_data.sources)
    counted.clear()
    monkeypatch.setattr(module._Cache, "_write", cut_off_after(2, module._Cache._write))
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(tmp_path / "cut", encoder, training_data)
    monkeypatch.undo()
    again = embed_pictures(tmp_path / "cut", encoder, training_data)
    assert (tmp_path / "cut" / "image.npy").read_bytes() == (tmp_path / "whole" / "image.npy").read_bytes()
    assert again.bad == whole.bad
    assert rows > 48


def cut_off_after(writes: int, write):
    def cut(self, rows, vectors, state):
        if rows.start >= writes * 16:
            raise KeyboardInterrupt
        write(self, rows, vectors, state)

    return cut


def test_what_is_there_is_not_computed_again(encoder, pictures, tmp_path, counted):
    training_data = material_of(pictures)
    embed_pictures(tmp_path / "kept", encoder, training_data)
    counted.clear()
    embed_pictures(tmp_path / "kept", encoder, training_data)
    assert counted == []


@pytest.mark.parametrize("change", ["picture", "weights", "preprocessing", "note", "vectors"])
def test_what_is_stale_or_damaged_is_computed_anew(encoder, pictures, tmp_path, counted, change):
    training_data = material_of(pictures)
    embed_pictures(tmp_path / "kept", encoder, training_data)
    counted.clear()
    match change:
        case "picture":
            os.utime(pictures / "03.png", (1, 1))
        case "weights":
            encoder.clip.image.projection.weight.data[0, 0] += 1
        case "preprocessing":
            encoder.preprocessing = encoder.preprocessing.model_copy(update={"resize": "squash"})
        case "note":
            (tmp_path / "kept" / "image.json").write_text('{"key":')
        case "vectors":
            (tmp_path / "kept" / "image.npy").unlink()
    embed_pictures(tmp_path / "kept", encoder, training_data)
    assert sum(counted) == training_data.pairs
    assert json.loads((tmp_path / "kept" / "image.json").read_text())["done"] == training_data.pairs


def test_a_batch_of_nothing_but_bad_pictures_is_empty(encoder, pictures, tmp_path):
    training_data = material_of(pictures)
    for picture in pictures.glob("*.png"):
        picture.write_bytes(b"")
    embedded = embed_pictures(tmp_path / "kept", encoder, training_data)
    batch = maker(training_data, encoder, pictures=replace(embedded))[0]
    assert batch.image_vectors.shape == (0, 128)
    assert len(batch.bad) == 12
    with pytest.raises(BadImageError, match="empty file"):
        embedded.find(Order([COUNT, COUNT], [1, 2], seed=0).at(0))
