"""The Exporter: the model as it is pushed, with what travels with it."""
