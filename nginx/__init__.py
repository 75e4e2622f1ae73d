"""The gateway in front of gunicorn: nginx templates, their renderer, and the local stack.

`python -m nginx.render --help` writes a configuration folder; `python -m nginx.stack` (make stack) runs both servers.
Standard library only, so that a machine image can render its configuration before any package is installed.
"""
