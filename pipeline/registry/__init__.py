"""The model registry: models in ML Metadata, and the versions that servers load.

`models` and `ledger` read the lineage of the metadata; `destinations` are the folders that servers
watch; `promotion` and `retention` change both, `recovery` completes or undoes interrupted changes.
"""
