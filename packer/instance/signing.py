"""Signature version 4 of an AWS query request, standard library only.

Source: AWS, "Create a signed AWS API request", IAM user guide. A test compares it with botocore's.
"""

import hashlib
import hmac
from datetime import datetime
from urllib.parse import urlsplit

from packer.instance.metadata import Credentials

CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"


def signed_headers(
    url: str, body: bytes, *, region: str, service: str, credentials: Credentials, now: datetime
) -> dict[str, str]:
    """Headers for a POST of `body` to `url` (no query part), valid for some minutes around `now` (UTC)."""
    parts = urlsplit(url)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": CONTENT_TYPE,
        "host": parts.netloc,
        "x-amz-date": stamp,
        "x-amz-security-token": credentials.token,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join(["POST", parts.path or "/", "", lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    claim = f"Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return headers | {"authorization": f"AWS4-HMAC-SHA256 {claim}"}
