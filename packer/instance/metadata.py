"""The instance metadata service, version 2 (a token first, then answers), standard library only.

Source: AWS, "Use the Instance Metadata Service to access instance metadata", amazon EC2 user guide.
"""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass

ADDRESS = "http://169.254.169.254"
TOKEN_SECONDS = 300


@dataclass(frozen=True)
class Credentials:
    """Temporary keys of the instance's role."""

    access_key: str
    secret_key: str
    token: str


class Metadata:
    """Reads the metadata of the machine it runs on. Every method raises OSError when the service cannot be reached."""

    def __init__(self, address: str = ADDRESS) -> None:
        self._address = address

    def get(self, path: str) -> str | None:
        """The text at `/latest/meta-data/PATH`; None where there is nothing (404)."""
        token = self._ask("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_SECONDS)})
        try:
            return self._ask("GET", f"meta-data/{path}", {"X-aws-ec2-metadata-token": token})
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def credentials(self) -> Credentials:
        """Keys of the instance's role; raises LookupError where it has none."""
        role = self.get("iam/security-credentials/")
        text = self.get(f"iam/security-credentials/{role.split()[0]}") if role else None
        if not text:
            raise LookupError("the instance has no role")
        found = json.loads(text)
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["Token"])

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(f"{self._address}/latest/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.read().decode("utf-8"))
