"""What a CLIP is made of, as data: a model folder is read, checked and planned with it. No torch here.

In reading order: `config` (the settings of a CLIP and of every kind of tower), `zoo` (named architectures), `cost`
(their parameters and operations).
"""
