"""Which rented GPU finishes my training for the least money?"""

__version__ = "0.1.0"
