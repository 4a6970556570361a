"""A real Flink cluster on this machine, to try the engine `flink` on."""
