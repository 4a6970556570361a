"""The registry of models: what ML Metadata knows of them, and what is done to serve them.

`graph` reads the metadata, `models` and `ledger` make sense of it; `places` are the folders that
servers watch; `serving` and `pruning` change both, `mending` finishes what a kill left of that.
"""
