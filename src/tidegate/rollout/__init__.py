"""Bringing a new model live with stated error bounds: pure. What to do follows from plan, state and observation.

`plan` says what is wanted, `observation` what is seen, `actions` what may be done; `advance` decides; `ports` is what a
place that serves models has to offer. Drivers (the local engine, the operator) only carry these to and fro.
"""
