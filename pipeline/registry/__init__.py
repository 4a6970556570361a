"""The registry of models: what ML Metadata records of them, and what is done to serve them.

`models` and `ledger` read the lineage of the metadata; `destinations` are the folders that servers
watch; `promotion` and `retention` change both, `recovery` finishes what a kill interrupted.
"""
