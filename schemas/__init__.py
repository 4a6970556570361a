"""The curated image schema and the configuration's JSON Schema: data files, reviewed like code."""
