"""Finding settings for a data set: on cached features first, then by a few full trainings."""
