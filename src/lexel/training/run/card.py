"""The model card: what the model learned from, how, and how good it is, in the model folder's README.md."""

from collections.abc import Sequence

from lexel.data.loader import TrainingSource
from lexel.data.pairs import Pair
from lexel.evaluation.report.report import Report
from lexel.images import Preprocessing
from lexel.models.clip import CLIP
from lexel.progress import duration
from lexel.training.distributed.sharding import is_own
from lexel.training.inputs.teacher import TeacherFacts
from lexel.training.inputs.training_data import TrainingData, source_parts
from lexel.training.recipe import Recipe
from lexel.version import __version__


def model_card(
    recipe: Recipe,
    training_data: TrainingData,
    clip: CLIP,
    preprocessing: Preprocessing,
    report: Report,
    steps: int,
    seconds: float,
    advice: str | None = None,
    kept: str = "",
    teacher: TeacherFacts | None = None,
) -> str:
    """Markdown. `advice` says what went wrong in the training and what to do about it, `kept` what the model kept of
    what it knew before, `teacher` what it learned to match."""
    sections = [
        _use(recipe, clip),
        _languages(recipe, training_data) if recipe.languages else _data(recipe, training_data),
        _how_it_was_trained(recipe, clip, preprocessing, steps, seconds, teacher),
        _numbers(training_data, report),
        *([f"## What it kept\n\n{kept}\n"] if kept else []),
        _limits(advice),
    ]
    return "\n".join(sections)


def _use(recipe: Recipe, clip: CLIP) -> str:
    return f"""# {recipe.name}

A CLIP trained with Lexel {__version__}: images and texts in one space of {clip.config.embedding} dimensions.

```python
import lexel

encoder = lexel.load("path/to/this/folder")
encoder.similarity(["picture.jpg"], ["a caption", "another caption"])
```
"""


def _data(recipe: Recipe, training_data: TrainingData) -> str:
    sources = zip(source_parts(recipe)[0], training_data.sources, strict=True)
    lines = "\n".join(_source_line(settings.source, source) for settings, source in sources)
    return f"""## Data

{lines}
- fingerprint of keys, captions and labels: `{training_data.fingerprint}`
"""


def _languages(recipe: Recipe, training_data: TrainingData) -> str:
    assert recipe.languages is not None
    sources = "\n".join(f"- `{settings.source}`" for settings in source_parts(recipe)[0])
    languages = ", ".join(("English", *recipe.languages.columns))
    return f"""## Data

{training_data.pairs:,} texts or lists of texts in the languages {languages}, of

{sources}
- fingerprint of keys and captions: `{training_data.fingerprint}`
"""


def _source_line(name: str, source: TrainingSource) -> str:
    line = f"- `{name}`: {len(source.pairs):,} pairs"
    if source.weight != 1:
        line += f", weight {source.weight:g}"
    if source.label_share or _has_bare_labels(source.pairs):
        line += f", labels shown as {', '.join(f'`{template}`' for template in source.templates)}"
    return line


def _how_it_was_trained(
    recipe: Recipe,
    clip: CLIP,
    preprocessing: Preprocessing,
    steps: int,
    seconds: float,
    teacher: TeacherFacts | None,
) -> str:
    text = clip.config.text
    parameters = sum(value.numel() for name, value in clip.named_parameters() if is_own(name))
    what = "The text tower learned to give the vectors of" if recipe.languages else "Distilled from"
    taught = f"\n\n{what} the teacher `{teacher.name}`, fingerprint `{teacher.fingerprint}`." if teacher else ""
    return f"""## Recipe

{steps:,} steps of {recipe.batch_size} pairs in {duration(seconds)}; seed {recipe.seed}; {_origin(recipe)}, with
{parameters:,} parameters: {preprocessing.image_size}-pixel images
({preprocessing.resize}), {text.vocabulary_size:,} tokens, captions of up to {text.context_length} tokens.{taught}

<details><summary>The whole recipe</summary>

```json
{recipe.model_dump_json(indent=2)}
```

</details>
"""


def _numbers(training_data: TrainingData, report: Report) -> str:
    held_out = training_data.held_out
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in report.metrics().items())
    return f"""## Numbers

On {len(held_out.pairs):,} pairs that were not trained on ({held_out.name}); intervals, chance levels
and examples are in the run's report.

| | |
|---|---|
{rows}
"""


def _limits(advice: str | None) -> str:
    added = f"\n{advice}\n" if advice else ""
    return f"""## Limits

Measured on data of the same kind only. It knows what its captions speak of, and shares their gaps and biases.
{added}"""


def _origin(recipe: Recipe) -> str:
    """Where the weights began."""
    model = recipe.model
    taken = {"both towers": model.weights, "image tower": model.image_weights, "text tower": model.text_weights}
    parts = [f"{part} from `{origin}`" for part, origin in taken.items() if origin]
    frozen = [f"{tower} tower frozen" for tower in ("image", "text") if getattr(recipe.frozen, tower)]
    if recipe.lora:
        frozen.append(f"LoRA of rank {recipe.lora.rank}, merged")
    return ", ".join(([f"architecture `{model.architecture}`"] if model.architecture else []) + parts + frozen)


def _has_bare_labels(pairs: Sequence[Pair]) -> bool:
    return any(not pair.captions for pair in pairs)
