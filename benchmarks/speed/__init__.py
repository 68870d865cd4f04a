"""How good is a CLIP after so many processor seconds? The parts of `speed_run.py`, whose docstring has the rules.

- `measures`: what is measured, on which pictures;
- `rows`: what a run came to, a line of JSON each; table and plot;
- `lexel_run`: a run of Lexel's; `open_clip_run`: a run of open_clip's trainer on the same pairs.
"""
