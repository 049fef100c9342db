"""Three forked workers that burn CPU: what gunicorn with synchronous workers does."""

from serving import burn, serve_processes

serve_processes(lambda records: [burn(record, 40) for record in records], workers=3)
