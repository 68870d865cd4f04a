"""How are models that began from the same weights mixed into one that keeps what each knows?

In reading order: `ingredients` (models that can be mixed, and what differs in those that cannot), `mixture` (the
weighted mean, tensor by tensor, as a model folder), `curve` (own data and guards over the mixing weight), `soup`
(several models as one), `chart` (the curve as a picture), `blend` (all of it together).
"""
