"""Real Flink and Spark clusters on this machine, to try the engines on."""
