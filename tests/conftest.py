"""One thread for each of the two test processes: torch's threads, more than there are cores, wait for each other."""

import os

# Before torch is imported, here and in every process that a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
