"""How are pictures drawn from words?

In reading order: `painter` (what can be drawn), `request` and `open_painter` (one call, as the command line makes it),
`parts` (what a painter is made of), `flow` (rectified flow: losses, solvers, guidance), `prior` (text vector → picture
vector), `decoder` (picture vector → pixels), `standard` and `sphere` (vectors scaled, and ways between them), `recipe`,
`learners` and `training` (how both learn), `folder` (the painter's files), `published` (decoders of `diffusers`),
`sheet` (pictures as files).
"""
