"""The whole way on a bundled model and real records."""
