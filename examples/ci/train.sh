#!/usr/bin/env bash
# Train on a rented machine from a CI job: what is here goes there, ./results comes back.
#   ./train.sh --epochs 90        (words for train.py)
# The key is in VAST_API_KEY; nothing here has to name it.
set -euo pipefail

# A rerun of this CI job has the same name, so that it shares the budget. Should the CI
# machine vanish, the rented one ends itself after the grace.
exec advisor run \
  --workload "${WORKLOAD:-resnet50}" \
  --budget "${BUDGET_USD:-30}" \
  --job "ci-${GITHUB_RUN_ID:-by-hand}" \
  --grace 15m \
  --sync . \
  --results results \
  --yes \
  -- python train.py "$@"
