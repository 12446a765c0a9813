"""What the model card says whatever the figures are: what was tried, what is unknown."""

TRIED = """## Tried, and no help

On the errors of series that were held out (same workload, one run), 2026-11-28:

- A set-up that differs from others as the table's do from each other, and no more: 12.5 %
  as published, but 24 % if all its rates are 2.2 times as high (plain scaling: 14.3 %
  both times). A level that is always free: 14.3 % both times. The mixture: 13.6, 14.4 %.
- One share of the level in common to a user's workloads: 0.3 fails where three workloads
  are off alike (32 %; plain scaling 15 %), 0.95 where they are not. The data choose now.
- A group of noise of their own for the figures of November 2026: the same outliers.
- A family and the operations alone for the level of a net that nobody measured: 74 % on
  the ten nets that are evaluated; with parameters per operation 57 %, with lineages, too,
  48 %, all three with the curvature 27 %.
- A ceiling for each card at the best share of its data sheet: it orders cards by the data
  sheet wherever a level is guessed too high."""

LIMITS_OF_KNOWLEDGE = """## What it does not know

- Cards other than NVIDIA's: their rows are in the table, but do not train the model.
- FP8 and FP4, and more than eight GPUs.
- The intercept of a net that nobody measured, beyond its family, its lineage and its
  size; and how far *your* code is from the published set-ups: the split `source`
  shows how far those are from each other.
- The health of a rented machine beyond what its DLPerf score hints at, and
  thermal limits."""
