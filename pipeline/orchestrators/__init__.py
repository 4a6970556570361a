"""The pipeline for schedulers of others."""
