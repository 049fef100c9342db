"""Threads under one interpreter lock: pure Python work, a thread a connection."""

from serving import burn, serve_threads

serve_threads(lambda records: [burn(record, 40) for record in records])
