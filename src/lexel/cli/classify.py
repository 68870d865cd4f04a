"""`lexel classify`"""

from typing import Annotated

import typer

from lexel.cli.options import Images, Json, Model, Templates, chosen_templates


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
    json: Json = False,
) -> None:
    """Sort images into classes that are named only now (zero-shot classification).

    Example: lexel classify runs/demo/model --labels "red circle,blue star" pictures/ --top 1
    """
    from lexel.cli.printing import print_json, print_ranking
    from lexel.data.given import given_images
    from lexel.encoder import load
    from lexel.evaluation.prompts import read_labels
    from lexel.evaluation.zero_shot import ZeroShotClassifier

    given = given_images(images)
    classifier = ZeroShotClassifier(load(model), read_labels(labels), chosen_templates(templates))
    answers, bad = classifier.classify_readable([image for _, image in given], top=top)
    results = []
    for index, (name, _) in enumerate(given):
        if index in bad:
            results.append({"image": name, "error": bad[index]})
        else:
            results.append(
                {"image": name, "labels": [{"label": label, "probability": p} for label, p in answers[index]]}
            )
    if json:
        print_json(results)
    else:
        for index, (name, _) in enumerate(given):
            print(name if index not in bad else f"{name}: cannot be read: {bad[index]}")
            print_ranking(answers.get(index, []), indent="  ")
    if bad:
        raise typer.Exit(1)
