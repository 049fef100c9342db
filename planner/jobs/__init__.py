"""The job: its request, and running it."""
