"""The search for training settings: on cached features first, then by a few full trainings."""
