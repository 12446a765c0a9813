"""The record of a market as a folder of Parquet files, one per market and month.

Listing intervals are data for years and for any tool: ``market=vast/month=2026-11/
intervals.parquet`` is the layout that DuckDB, Dask, Spark and pandas read as one table.
Needs the extra ``archive``; nothing else imports this package unless it is asked for.
"""
