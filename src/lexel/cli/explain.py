"""`lexel explain`"""

from typing import Annotated

import typer

from lexel.cli.options import Html, Json, Model, NumberFormat, Runtime
from lexel.terminal import one_line


def explain(
    model: Model,
    image: Annotated[str, typer.Argument(help="An image file; - reads one from standard input.", show_default=False)],
    texts: Annotated[list[str], typer.Argument(help="Texts to look for in it.", show_default=False)],
    html: Html = None,
    runtime: Runtime = None,
    number_format: NumberFormat = None,
    json: Json = False,
) -> None:
    """Show where in an image a model sees a text, and which words of the text count.

    For each text: its cosine, the middle of the strongest place, and by how much the cosine falls without each word.
    --html writes the heat maps over the picture. All but Vision Transformers on torch are explained by covering parts
    of the picture, which takes longer.

    \b
    Example:
      lexel explain runs/shop/model photo.jpg "a dog" "grass" --html out.html
    """
    from lexel.cli.printing import print_json
    from lexel.data.image_arguments import image_argument
    from lexel.evaluation.report.drawn_scenes import about_drawn_scenes
    from lexel.evaluation.texts.long_texts import about_cut_texts
    from lexel.generation.heat_maps.explain import check_wanted, explain_texts
    from lexel.generation.heat_maps.page import write_heat_maps
    from lexel.loading import load
    from lexel.progress import say

    picture = image_argument(image)
    check_wanted(texts)
    encoder = load(model, runtime=runtime, number_format=number_format)
    if cut := about_cut_texts(encoder, texts, "texts"):
        say(f"Note: {cut}")
    explained = explain_texts(encoder, picture, texts)
    if html is not None:
        write_heat_maps(html, explained, name=image, model=encoder.name)
        say(f"Wrote {html}")
    if json:
        print_json({"image": image, "method": explained.method, "texts": [text.as_json() for text in explained.texts]})
    else:
        for text in explained.texts:
            print(one_line(text.text))
            print(f"  {text.summary(*explained.image.size)}")
            for word in text.words:
                print(f"  {one_line(word.word):<20} {word.share:>5.0%}  {word.effect:+.3f}")
    if warning := about_drawn_scenes(encoder):
        say(warning)
