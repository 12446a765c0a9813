"""The launcher's Python and Dask, as files that a rented machine is given."""
