"""How well does a drawing fit its prompt, by a model's judgement? The drawing game of the web page.

In reading order:

prompts    what is to be drawn
doodles    writing and shapes drawn by Lexel, from which the judge learns to tell writing apart
judge      the score of a drawing, and how likely it is writing
routes     all of it as routes
"""
