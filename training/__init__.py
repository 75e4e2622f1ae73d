"""Training and measuring of the networks in `inference.networks`; imported by nothing else in the project."""
