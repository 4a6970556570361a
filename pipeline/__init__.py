"""Everything that wires, runs, shows and serves the chain."""
