"""`lexel classify`"""

from typing import Annotated

import typer

from lexel.cli.options import Images, Json, Model, NumberFormat, Runtime, Templates, chosen_templates


def classify(
    model: Model,
    images: Images,
    labels: Annotated[
        str,
        typer.Option(
            "--labels", help="Labels with commas between, or a text file with one a line.", show_default=False
        ),
    ],
    templates: Templates = None,
    top: Annotated[int, typer.Option(min=1, help="How many labels to show for each image.")] = 3,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Sort images into classes named only now (zero-shot).

    \b
    Example:
      lexel classify runs/demo/model pictures/ --labels "red circle,blue star"
    """
    from lexel.cli.printing import print_json, print_ranking
    from lexel.data.given import given_images
    from lexel.evaluation.classifier import ZeroShotClassifier
    from lexel.evaluation.labels import read_labels
    from lexel.loading import load
    from lexel.progress import say

    given = given_images(images)
    classifier = ZeroShotClassifier(
        load(model, runtime=runtime, number_format=number_format), read_labels(labels), chosen_templates(templates)
    )
    answers, bad = classifier.classify_readable([image for _, image in given], top=top)
    names = [name for name, _ in given]
    if json:
        named = {i: {"labels": [{"label": label, "probability": p} for label, p in answers[i]]} for i in answers}
        failed = {i: {"error": reason} for i, reason in bad.items()}
        print_json([{"image": name} | (named | failed)[i] for i, name in enumerate(names)])
    else:
        for index, ranked in answers.items():
            print(names[index])
            print_ranking(ranked, indent="  ")
    for reason in bad.values():
        say(f"lexel classify: cannot read {reason}")
    if bad:
        raise typer.Exit(1)
