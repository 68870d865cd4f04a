"""How is a generator of pictures steered by a text, a picture or a change?

In reading order:

    guide                          `guide`: a generator and what to show → a picture, its scores and its film
    generator                      what a generator is, and the checks of what it gives
    strokes, curves, rasterizer    a painter of Bézier strokes, drawn so that gradients reach them; SVG
    pixels                         pixels in a Fourier basis
    module_generator               any callable or torch.nn.Module as a generator
    painter_decoder                the decoder of `lexel generate`
    choose                         generators by name
    goals, views                   what is wanted, as a loss; the random views that keep it honest
    descent                        the steps: schedule, pull towards the start, Ctrl-C
    scores, distractors            what the guiding and the judging model say of the result
    output                         the picture or SVG, and the film as a GIF
"""
