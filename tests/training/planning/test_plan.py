import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny import tiny_recipe

from lexel.architectures.cost import image_operations, text_operations
from lexel.errors import UsageError
from lexel.training.planning import accelerators
from lexel.training.planning.accelerators import ACCELERATORS, Accelerator, this_machine
from lexel.training.planning.memory import step_memory
from lexel.training.planning.plan import Plan, make_plan, plan_run
from lexel.training.planning.plan_data import ASSUMED_PAIR_BYTES, ASSUMED_TOKENS, PlanData, stated_data
from lexel.training.recipe import Recipe

A100 = ACCELERATORS["a100"]
ENDLESS = Accelerator("with room for all", 312e12, 1e15)


def recipe(**fields: Any) -> Recipe:
    content: dict[str, Any] = {
        "epochs": 32,
        "batch_size": 32_768,
        "data": {"sources": [{"source": "somewhere/else"}]},
        "model": {"architecture": "ViT-B-32"},
        "tokenizer": {"vocabulary_size": 49_408},
    }
    return Recipe.build(content | fields)


def plan(
    described: Recipe | None = None, *, on: Accelerator = A100, gpus: int = 128, mfu: float = 0.3, **data: Any
) -> Plan:
    described = described or recipe()
    known = PlanData(**({"pairs": 400_000_000, "epoch": 400_000_000, "lengths": {77: 1.0}, "pair_bytes": 25_000.0,
                         "origin": "stated"} | data))  # fmt: skip
    return make_plan(described, described.architecture(), known, on, gpus, mfu)


def test_time_follows_from_operations_by_hand():
    """32 epochs of ViT-B/32, whose pair costs 14.78 GFLOP forward as published, less what is not read at the top."""
    planned = plan(on=ENDLESS)
    one = image_operations(recipe().architecture()) + text_operations(recipe().architecture(), 77)
    assert one / 1e9 == pytest.approx(14.78, rel=0.1)
    assert planned.steps == 390_625
    assert planned.pairs_seen == 12_800_000_000
    assert planned.computation.run == pytest.approx(12.8e9 * 3 * one)
    loss = 390_625 * 8 * 32_768**2 * 512
    hours = (12.8e9 * 3 * one + loss) / (128 * 312e12 * 0.3) / 3600
    assert planned.time.hours == pytest.approx(hours)
    assert planned.time.gpu_hours == pytest.approx(128 * hours)
    assert planned.time.step * 390_625 / 3600 == pytest.approx(hours)
    assert planned.time.pairs_per_second == pytest.approx(12.8e9 / hours / 3600)
    assert planned.elsewhere["A100 80GB"] == pytest.approx(128 * hours)


def test_twice_the_devices_or_twice_the_share_take_half_the_time():
    whole = plan(on=ENDLESS).time
    assert plan(on=ENDLESS, gpus=256).time.hours == pytest.approx(whole.hours / 2)
    assert plan(on=ENDLESS, mfu=0.6).time.gpu_hours == pytest.approx(whole.gpu_hours / 2)


def test_captions_cost_what_their_lengths_cost_on_average():
    config = recipe().architecture()
    expected = 3 * (0.25 * text_operations(config, 8) + 0.75 * text_operations(config, 24))
    planned = plan(lengths={8: 0.25, 24: 0.75})
    assert planned.computation.text == pytest.approx(expected)
    assert planned.data.tokens == 20


def test_a_ramp_saves_what_its_smaller_pictures_save():
    """Four stairs of a tenth of the run each, and whole pictures for the rest."""
    ramped, config, steps = recipe(ramp={"size_from": 0.5, "until": 0.4}), recipe().architecture(), 390_625
    sides = [ramped.ramp.image_size(steps * tenth // 10 + 1, steps, config.image) for tenth in range(10)]
    assert sides[0] < sides[3] < sides[4] == 224
    expected = 3 * sum(image_operations(config, side) for side in sides) / 10
    assert plan(ramped).computation.image == pytest.approx(expected, rel=1e-3)


def test_a_frozen_tower_costs_one_pass_over_the_data_or_one_a_visit():
    said = {
        "data": {"sources": [{"source": "x"}]},
        "steps": 100,
        "model": {"weights": "a model folder"},
        "batch_size": 8,
    }
    data = stated_data(200, 9, None)

    def of_image(**freeze: Any) -> float:
        described = Recipe.build(said | {"freeze": freeze})
        return make_plan(described, tiny_recipe().architecture(400), data, A100, 1, 0.3).computation.image

    learned = of_image()
    assert of_image(image=True, cache_embeddings=False) == pytest.approx(learned / 3)
    assert of_image(image=True) == pytest.approx(learned / 3 * 200 / 800)


def test_what_fits_is_done_at_once_and_nothing_is_made_again():
    planned = plan(on=ENDLESS)
    assert (planned.local_batch, planned.micro_batch, planned.recomputed) == (256, 256, 0)
    assert planned.fits


def test_a_small_device_takes_the_largest_power_of_two_that_fits_and_one_forward_pass_more():
    planned = plan(gpus=1)
    assert planned.fits
    assert planned.micro_batch & (planned.micro_batch - 1) == 0
    twice = plan(recipe(micro_batch=2 * planned.micro_batch), gpus=1)
    assert planned.memory.total <= A100.usable * A100.memory < twice.memory.total
    assert planned.recomputed == 1
    at_once = plan(on=ENDLESS, gpus=1)
    assert planned.time.gpu_hours == pytest.approx(at_once.time.gpu_hours * 4 / 3, rel=0.01)


def test_a_micro_batch_that_the_recipe_states_is_kept():
    assert plan(recipe(micro_batch=48)).micro_batch == 48
    assert plan(recipe(micro_batch=1000)).micro_batch == 256


def test_checkpointing_makes_a_forward_pass_again_and_saves_memory():
    stated = {"micro_batch": 256}
    plain, checkpointed = plan(recipe(**stated)), plan(recipe(**stated, engine={"checkpoint_activations": True}))
    assert checkpointed.recomputed == 1
    assert checkpointed.memory.activations < plain.memory.activations / 3


def test_a_model_that_fits_nowhere_is_said_to_need_more():
    planned = plan(on=Accelerator("tiny", 1e12, 1e9), gpus=1)
    assert (planned.fits, planned.micro_batch) == (False, 1)


def test_one_device_sends_nothing_and_four_send_what_a_ring_sends():
    assert plan(gpus=1).network.gradients == plan(gpus=1).network.embeddings == 0
    network, learned = plan(gpus=4).network, plan().learned
    assert network.gradients == pytest.approx(2 * 3 / 4 * 4 * learned)
    assert network.embeddings == pytest.approx(2 * 3 / 4 * 32_768 * 2 * 512 * 4)


def test_parameters_are_those_of_the_architecture():
    assert plan().parameters == 151_277_313  # the logit scale included
    assert plan().learned == 151_277_313


def test_a_tower_of_another_library_leaves_time_and_memory_unknown():
    planned = plan(recipe(model={"architecture": "EVA02-B-16"}))
    assert (planned.time, planned.memory, planned.network, planned.fits) == (None, None, None, None)
    assert planned.elsewhere == {}
    assert planned.data.bytes == 10e12


def test_a_tower_that_normalises_over_the_batch_takes_it_whole_whatever_the_memory():
    planned = plan(recipe(model={"architecture": "RN50"}), gpus=1)
    assert (planned.micro_batch, planned.fits) == (32_768, False)
    assert planned.memory.activations > 32_768 * 45e6
    assert planned.time.hours > 0


def test_what_is_not_stated_is_assumed_and_said():
    data = stated_data(1000, None, None)
    assert (data.tokens, data.pair_bytes) == (ASSUMED_TOKENS, ASSUMED_PAIR_BYTES)
    assert data.origin == "stated, --tokens and --pair-bytes assumed"
    assert stated_data(1000, 12, 3000.0).origin == "stated"
    assert stated_data(1000, 12, 3000.0).bytes == 3_000_000


def test_sources_that_are_there_are_measured(tmp_path):
    rows = ["file_name,caption"]
    for number in range(40):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,a red square number {'nine' if number % 2 else 'ten'}")
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    described = tiny_recipe(
        data={"sources": [{"source": str(tmp_path), "weight": 2.0}]}, evaluation={"source": None, "holdout": 0.25}
    )
    planned = plan_run(described, gpu="a100")
    pictures = [path.stat().st_size for path in Path(tmp_path).glob("*.png")]
    assert planned.data.pairs == 30
    assert planned.data.epoch == 60
    assert planned.data.pair_bytes == pytest.approx(sum(pictures) / 40 + 24, rel=0.1)
    assert sum(planned.data.lengths.values()) == pytest.approx(1)
    assert 4 <= planned.data.tokens <= 10
    assert planned.data.origin == "measured on 30 pairs"
    assert plan_run(described, gpu="a100", tokens=8).data.origin == "measured on 30 pairs, --tokens stated"


def test_a_source_that_is_not_there_is_asked_for_unless_its_size_is_stated(tmp_path):
    described = tiny_recipe(data={"sources": [{"source": str(tmp_path / "nothing")}]})
    with pytest.raises(UsageError):
        plan_run(described, gpu="a100")
    assert plan_run(described, gpu="a100", pairs=1e6).data.pairs == 1_000_000


def test_captions_that_the_tower_would_cut_are_not_planned_for():
    with pytest.raises(UsageError, match="77 tokens at most"):
        plan_run(recipe(), gpu="a100", pairs=1e6, tokens=78)
    assert plan_run(recipe(), gpu="a100", pairs=1e6, tokens=77).data.tokens == 77


def test_this_machine_is_planned_for_with_its_measured_peak(monkeypatch):
    monkeypatch.setattr(accelerators, "matmul_peak", lambda device, precision: 7e9)
    monkeypatch.setattr(accelerators, "host_memory", lambda: 8e9)
    here = this_machine(recipe(device="cpu", precision="float32"))
    assert here == Accelerator("this machine's CPU in float32", 7e9, 8e9, usable=0.5, number_bytes=4)
    assert plan_run(recipe(device="cpu", precision="float32"), pairs=1e6).accelerator == here


def test_all_of_it_can_be_written_as_json():
    facts = json.loads(json.dumps(plan().facts()))
    assert facts["time"]["gpu_hours"] == plan().time.gpu_hours
    assert facts["data"]["bytes"] == 10e12
    assert facts["fits"] is True


def test_the_memory_is_that_of_the_micro_batch():
    planned = plan(gpus=1)
    assert planned.memory.activations % planned.micro_batch == 0
    held = step_memory(
        recipe().architecture(),
        planned.parameters,
        planned.learned,
        activations_per_pair=planned.memory.activations / planned.micro_batch,
        micro_batch=planned.micro_batch,
        local_batch=32_768,
        batch_size=32_768,
        processes=1,
        sharded=False,
        averaged=False,
    )
    assert held == planned.memory
