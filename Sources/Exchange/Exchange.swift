// Exchange: see ARCHITECTURE.md for its one job.
