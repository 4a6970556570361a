"""The wiring of the chain: command line, configuration, graph and runners."""

__version__ = '0.1.0'
