"""Units, each by its one definition; a name says how many of the first are in the second.

GB and MB are 10^9 and 10^6 bytes, as markets, disks and networks count; GiB and MiB are
2^30 and 2^20, as the memory of GPUs is counted.
"""

from __future__ import annotations

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
HOURS_PER_DAY = 24.0
SECONDS_PER_DAY = HOURS_PER_DAY * SECONDS_PER_HOUR
DAYS_PER_WEEK = 7.0
HOURS_PER_YEAR = 8766.0
"""Of the Julian year of 365.25 days."""

MB_PER_GB = 1000.0
GB_PER_TB = 1000.0
MIB_PER_GIB = 1024.0
BYTES_PER_KIB = 2**10
BYTES_PER_MIB = 2**20
BYTES_PER_GIB = 2**30
BYTES_PER_MB = 1e6
BYTES_PER_GB = 1e9
GB_PER_GIB = BYTES_PER_GIB / BYTES_PER_GB
