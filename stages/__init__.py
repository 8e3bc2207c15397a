"""The pipeline: one script a stage, one folder a topic (docs/ARCHITECTURE.md)."""

import os

# Matrices are small here, and threads of a linear algebra library spin where they have to share processors: on a busy
# machine they made decompositions ten times as slow. It reads this once, when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - later is too late
