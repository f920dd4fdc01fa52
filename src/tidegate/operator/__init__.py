"""The ModelRollout controller."""
