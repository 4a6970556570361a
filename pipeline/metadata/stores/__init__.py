"""Where ML Metadata keeps what it knows: a project's SQLite file, or a PostgreSQL server."""
