"""What a plan would do with models whose true rates are known: the very `advance`, on drawn requests.

Deterministic by its seed; the only part of `rollout` that needs numpy.
"""
