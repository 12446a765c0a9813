"""Many jobs on many rented machines, run by Dask: the extra ``fleet``."""
