"""Where ML Metadata records runs: a project's SQLite file, or a PostgreSQL server."""
