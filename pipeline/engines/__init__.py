"""Beam engines: which one runs the data-parallel nodes, with what around it."""
