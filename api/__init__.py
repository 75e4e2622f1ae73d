"""The HTTP interface: what a request means and what an answer looks like. Signals are the business of `inference`."""

__version__ = "0.1.0"
