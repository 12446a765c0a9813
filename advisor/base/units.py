"""Units, each by its one definition; a name says how many of the first are in the second.

GB and MB are 10^9 and 10^6 bytes, as markets, disks and networks count; GiB and MiB are
2^30 and 2^20, as the memory of GPUs and hosts is counted.
"""

from __future__ import annotations

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3600.0
SECONDS_PER_DAY = 24.0 * SECONDS_PER_HOUR

BYTES_PER_MB = 1e6
BYTES_PER_GB = 1e9
MB_PER_GB = 1000.0
GB_PER_TB = 1000.0
MBIT_PER_GB = 8000.0

BYTES_PER_MIB = 2**20
BYTES_PER_GIB = 2**30
MIB_PER_GIB = 1024.0

MIB_PER_GB = BYTES_PER_GB / BYTES_PER_MIB

GB_PER_GIB = BYTES_PER_GIB / BYTES_PER_GB
"""A card sold as "24 GB" has 24 GiB, which is 25.77 GB."""
