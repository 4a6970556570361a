"""Beam engines: what runs the data-parallel nodes, and the services around it."""
