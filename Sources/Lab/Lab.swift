// Lab: see ARCHITECTURE.md for its one job.
