"""Evidence service: captured listing evidence is hashed and timestamped, its digest is anchored through a
smart contract, and verifiable certificates for civil proceedings are produced.

Importing this package has no effect.
"""

__version__ = "0.1.0"
