import math

import pytest
import torch
from torch import Tensor, nn

from lexel.architectures.config import VisionTransformerConfig
from lexel.models.layers.pooling import MapPool, QueryPool
from lexel.models.towers import choose_patches
from lexel.models.vision_transformer import VisionTransformer


def tower(**changes: object) -> VisionTransformer:
    """A small tower with random weights everywhere, in inference."""
    settings = {"image_size": 32, "patch_size": 8, "width": 32, "depth": 2, "heads": 2} | changes
    tower = VisionTransformer(VisionTransformerConfig.model_validate(settings), embedding=16).eval()
    for parameter in tower.parameters():
        nn.init.normal_(parameter, std=0.3)
    return tower


def pixels(size: int = 32, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, size, size)


@pytest.mark.parametrize("stem", ["patch", "convolutional"])
@pytest.mark.parametrize("pooling", ["class", "mean"])
@pytest.mark.parametrize("size", [8, 32, 48])
def test_any_multiple_of_the_patch_size_gives_embeddings(stem, pooling, size):
    assert tower(stem=stem, pooling=pooling)(pixels(size)).shape == (2, 16)


def test_another_size_uses_the_same_weights_with_stretched_positions():
    image = torch.ones(1, 3, 32, 32)
    same_everywhere = tower(pooling="mean")
    with torch.no_grad():
        same_everywhere.position_embedding.copy_(torch.randn(32).expand(16, 32))
        expected = same_everywhere(image)
        torch.testing.assert_close(same_everywhere(torch.ones(1, 3, 64, 64)), expected, rtol=1e-4, atol=1e-4)


def test_a_size_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match=r"multiple of 8, but their shape is \(2, 3, 30, 30\)"):
        tower()(pixels(30))


@pytest.mark.parametrize("stem", ["patch", "convolutional"])
def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(stem):
    model, batch = tower(stem=stem).train(), pixels(batch=4)
    torch.testing.assert_close(model(batch)[:1], model(batch[:1]), rtol=1e-4, atol=1e-4)


def test_mean_pooling_has_no_class_token_and_sees_patches_as_a_set():
    model = tower(pooling="mean")
    assert model.class_embedding is None
    assert model.position_embedding.shape == (16, 32)
    nn.init.zeros_(model.position_embedding)
    image = pixels(batch=1)
    upside_down = image.unflatten(2, (4, 8)).flip(2).flatten(2, 3)
    torch.testing.assert_close(model(upside_down), model(image), rtol=1e-4, atol=1e-4)


def test_the_class_token_is_read_first_and_has_the_first_position():
    model = tower()
    assert model.class_embedding is not None
    first = model.embed(pixels())[:, 0]
    torch.testing.assert_close(first, (model.class_embedding + model.position_embedding[0]).expand(2, -1))


def test_a_patch_token_is_its_own_patch_times_the_kernel_plus_its_position():
    model, image = tower(), pixels(batch=1)
    assert isinstance(model.stem, nn.Conv2d)
    patch = image[0, :, 8:16, 24:32].flatten()  # row 1, column 3 of 4
    expected = model.stem.weight.flatten(1) @ patch + model.position_embedding[1 + 4 + 3]
    torch.testing.assert_close(model.embed(image)[0, 1 + 4 + 3], expected, rtol=1e-4, atol=1e-4)


def test_without_the_first_norm_the_blocks_see_the_embeddings_as_they_are():
    assert isinstance(tower(pre_norm=False).pre_norm, nn.Identity)
    assert isinstance(tower(pre_norm=True).pre_norm, nn.LayerNorm)


def test_a_convolutional_stem_doubles_its_channels_up_to_the_width():
    stem = tower(stem="convolutional").stem
    assert [layer.out_channels for layer in stem.modules() if isinstance(layer, nn.Conv2d)] == [8, 16, 32, 32]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in stem.modules())


def test_patches_are_dropped_only_where_it_is_said_which_are_kept():
    model = tower(patch_dropout=0.5).train()
    assert model.embed(pixels(), choose_patches(torch.rand(2, 16), 0.5)).shape == (2, 1 + 8, 32)
    assert model.embed(pixels()).shape == (2, 1 + 16, 32)
    averaged = tower(patch_dropout=0.5, pooling="mean").train()
    assert averaged(pixels(), choose_patches(torch.rand(2, 16), 0.5)).shape == (2, 16)


def test_the_class_token_survives_patch_dropout():
    model = tower().train()
    kept = model.embed(image := pixels(), choose_patches(torch.rand(2, 16), 0.9))
    torch.testing.assert_close(kept[:, 0], model.embed(image)[:, 0])


@pytest.mark.parametrize(("share", "count"), [(0.25, 12), (0.5, 8), (0.99, 1)])
def test_dropped_patches_leave_a_random_subset_of_each_picture(share, count):
    kept = choose_patches(torch.rand(64, 16), share)
    assert kept.shape == (64, count)
    assert all(len(set(row)) == count for row in kept.tolist())
    assert len({tuple(sorted(row)) for row in kept.tolist()}) > 10
    assert abs(kept.double().mean().item() - 7.5) < 5 * math.sqrt(21.25 / (64 * count))


def test_pixels_beyond_the_last_whole_patch_go_unseen_where_they_may() -> None:
    model = tower(image_size=36, drop_remainder=True, pooling="mean")
    image = pixels(36)
    changed = image.clone()
    changed[:, :, 32:] += 1
    changed[:, :, :, 32:] += 1
    torch.testing.assert_close(model(changed), model(image))
    torch.testing.assert_close(model(image[:, :, :32, :32]), model(image))


def test_a_class_token_beside_mean_pooling_is_seen_by_the_patches_but_not_averaged() -> None:
    model = tower(pooling="mean", class_token=True, depth=1)
    assert model.class_embedding is not None
    seen = model(pixels := torch.randn(2, 3, 32, 32))
    nn.init.normal_(model.class_embedding)
    assert not torch.allclose(model(pixels), seen)
    nn.init.zeros_(model.blocks[0].attention.output.weight)  # now no token learns of another
    without = model(pixels)
    nn.init.normal_(model.class_embedding)
    torch.testing.assert_close(model(pixels), without)


def test_the_final_norm_may_come_before_the_pooling() -> None:
    after, before = tower(pooling="mean"), tower(pooling="mean", norm_tokens=True)
    before.load_state_dict(after.state_dict())
    image = pixels()
    tokens = after.pre_norm(after.embed(image))
    for block in after.blocks:
        tokens = block(tokens)
    torch.testing.assert_close(before(image), after.projection(after.final_norm(tokens).mean(1)), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(before(image), after(image), rtol=1e-2)


def pooled_by_hand(pool: MapPool | QueryPool, query: Tensor, tokens: Tensor) -> Tensor:
    """What one query (D,) takes from one image's tokens (T, D), head by head."""
    q, k, v = pool.query(query), pool.key(tokens), pool.value(tokens)
    heads = []
    for q_head, k_head, v_head in zip(*(x.chunk(pool.heads, dim=-1) for x in (q, k, v)), strict=True):
        heads.append((k_head @ q_head / math.sqrt(len(q_head))).softmax(0) @ v_head)
    return pool.output(torch.cat(heads))


def test_map_pooling_is_one_learned_query_with_an_mlp_behind_it() -> None:
    model = tower(pooling="map", pooling_heads=4, mlp_hidden=50).double()
    pool = model.pool
    assert isinstance(pool, MapPool)
    tokens = torch.randn(2, 16, 32, dtype=torch.float64)
    for row, pooled in zip(tokens, pool(tokens), strict=True):
        mixed = pooled_by_hand(pool, pool.probe, row)
        torch.testing.assert_close(pooled, mixed + pool.mlp(pool.norm(mixed)))
    assert model.class_embedding is None


def test_cocas_pooling_reads_its_first_query() -> None:
    model = tower(pooling="attention", pooling_queries=5).double()
    pool = model.pool
    assert isinstance(pool, QueryPool)
    assert pool.queries.shape == (5, 16)
    tokens = torch.randn(2, 16, 32, dtype=torch.float64)
    for row, pooled in zip(tokens, pool(tokens), strict=True):
        torch.testing.assert_close(pooled, pooled_by_hand(pool, pool.query_norm(pool.queries[0]), pool.key_norm(row)))


def test_without_a_projection_the_pooled_state_is_the_embedding() -> None:
    config = VisionTransformerConfig(image_size=32, patch_size=8, width=32, depth=1, heads=2, projection=False)
    assert VisionTransformer(config, embedding=32)(pixels()).shape == (2, 32)


def test_the_noise_says_which_patches_are_kept() -> None:
    model, image = tower().train(), pixels()
    noise = torch.rand(2, 16)
    kept = model.embed(image, choose_patches(noise, 0.5))[:, 1:]
    whole = model.embed(image)[:, 1:]
    for row, patches, chances in zip(kept, whole, noise, strict=True):
        expected = patches[chances.argsort(descending=True)[:8]]
        torch.testing.assert_close(row, expected)
    assert not torch.equal(model(image, choose_patches(noise, 0.5)), model(image))


@pytest.mark.parametrize("norm_tokens", [False, True])
def test_class_pooling_gives_the_class_token_among_all_tokens(norm_tokens: bool) -> None:
    model, image = tower(norm_tokens=norm_tokens).double(), pixels().double()
    tokens = model.pre_norm(model.embed(image))
    for block in model.blocks:
        tokens = block(tokens)
    expected = model.projection(model.final_norm(tokens)[:, 0])
    torch.testing.assert_close(model(image), expected)
    parameters = list(model.parameters())
    one, all_of_them = (torch.autograd.grad(out.square().sum(), parameters) for out in (model(image), expected))
    torch.testing.assert_close(one, all_of_them)


def test_the_last_block_maps_the_class_token_alone() -> None:
    model, shapes = tower(), []
    for block in model.blocks:
        block.mlp.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    model(pixels())
    assert shapes == [(2, 17, 32), (2, 32)]


def test_activations_that_are_computed_again_give_the_same_gradients_to_the_bit() -> None:
    model, image = tower().train(), pixels()
    kept, calls = choose_patches(torch.rand(2, 16), 0.5), []
    model.blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))  # a second time when they are recomputed
    gradients = []
    for again in (False, True):
        model.checkpoint_activations = again
        gradients.append(torch.autograd.grad(model(image, kept).square().sum(), list(model.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))
    assert len(calls) == 3


@pytest.mark.parametrize("changes", [{}, {"patch_bias": True}, {"image_size": 37, "drop_remainder": True}])
def test_the_stem_gives_in_training_what_the_convolution_gives(changes: dict[str, object]) -> None:
    stem = tower(**changes).stem.double()
    image = pixels(37 if changes.get("drop_remainder") else 32).double()
    trained, evaluated = stem.train()(image), stem.eval()(image)
    torch.testing.assert_close(trained, evaluated)
    gradients = [torch.autograd.grad(out.square().sum(), list(stem.parameters())) for out in (trained, evaluated)]
    torch.testing.assert_close(*gradients)
