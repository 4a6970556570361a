"""A real Spark cluster on this machine, to try the engine `spark` on."""
