"""What every answer tells browsers. Audio and JSON are never to be run, framed or guessed to be something else."""

NOTHING = "default-src 'none'; frame-ancestors 'none'"  # pages have a policy of their own: api/resources/page.py

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": NOTHING,
}
