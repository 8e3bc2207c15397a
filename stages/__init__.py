"""The pipeline: one script a stage, one folder a topic (docs/ARCHITECTURE.md)."""

import os

# Matrices are small here, and BLAS threads that share processors spin: on a busy machine, decompositions took ten times
# as long. The library reads this once, when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - later is too late
