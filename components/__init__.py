"""The parts of the chain: one package a custom component or user module.

Nothing below this package imports `pipeline`: the wiring knows the parts, the parts do not know
the wiring.
"""
