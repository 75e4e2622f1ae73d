"""Renders the gateway's configuration: `python -m nginx.render FOLDER`, then `nginx -p FOLDER -c nginx.conf`.

The options are the fields of `Gateway`; `--help` and the table in nginx/README.md list them, a test compares the two.
"""

import argparse
import ipaddress
import math
import re
import string
import sys
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

TEMPLATES = Path(__file__).parent / "templates"

PATTERNS = {
    "listen": r"((\[[0-9a-fA-F:]+\]|[0-9.]+):)?[0-9]{1,5}",
    "upstream": r"unix:/[^\s;{}]+|(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}",
    "file": r"[^\s;{}\"'$]+",
    "user": r"[a-z_][a-z0-9_-]*( [a-z_][a-z0-9_-]*)?",
    "workers": r"auto|[1-9][0-9]{0,2}",
}


class Template(string.Template):
    """`%{name}`, because nginx uses `$name` itself."""

    delimiter = "%"


class OptionError(ValueError):
    """An option has a value that cannot be rendered; the message names both."""


def option(default: Any, says: str, *, check: str | tuple[int, int] | None = None) -> Any:
    """A field of `Gateway`: what it is, and a name in PATTERNS or the range of whole numbers allowed."""
    return field(default=default, metadata={"says": says, "check": check})


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """What differs from one place to the next. Paths are absolute or relative to the rendered folder."""

    listen: str = option("127.0.0.1:8080", "Address and port, or a port alone for all addresses.", check="listen")
    upstream: str = option(
        "127.0.0.1:8000", "Where gunicorn listens: HOST:PORT or unix:/PATH (`HUSH_BIND`).", check="upstream"
    )
    body_limit_mb: int = option(
        256, "Largest body in MiB; keep it equal to `HUSH_MAX_BODY_BYTES`.", check=(1, 1_000_000)
    )
    jobs_body_limit_mb: int = option(
        1024, "The same for `POST /jobs`; keep it equal to `HUSH_JOBS_MAX_BODY_BYTES`.", check=(1, 1_000_000)
    )
    rate: int = option(
        10, "Requests a minute that one client may send; 0 switches the limit off.", check=(0, 1_000_000)
    )
    burst: int = option(10, "Requests beyond that rate that are still served at once.", check=(1, 1_000_000))
    trusted: tuple[str, ...] = option(
        (), "Network (CIDR) of a balancer whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; repeatable."
    )
    answer_timeout: int = option(
        300, "Seconds the application may be silent before 504: above all its own deadlines.", check=(1, 86_400)
    )
    keepalive: int = option(
        75, "Seconds an idle client connection stays open: above the balancer's idle timeout.", check=(1, 86_400)
    )
    tls_certificate: str = option("", "PEM chain; with `--tls-key` it turns TLS and HTTP/2 on.", check="file")
    tls_key: str = option("", "PEM key of that certificate.", check="file")
    redirect_listen: str = option("", "With TLS: also listen here for plain HTTP and redirect it.", check="listen")
    public_port: int = option(
        0, "Port of HTTPS as clients see it, where another program maps it; 0: that of `--listen`.", check=(0, 65_535)
    )
    access_log: str = option("access.log", "File or device of the JSON access log.", check="file")
    error_log: str = option("error.log", "File of nginx's own messages; `stderr` is possible.", check="file")
    workers: str = option("auto", "nginx processes; auto is one a core.", check="workers")
    user: str = option("", "User (and group) of the workers when nginx is started by root.", check="user")

    def __post_init__(self) -> None:
        for item in fields(self):
            check_value(item, getattr(self, item.name))
        for network in self.trusted:
            check_network(network)
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise OptionError("--tls-certificate and --tls-key are needed together")
        if self.redirect_listen and not self.tls_certificate:
            raise OptionError("--redirect-listen needs --tls-certificate: there is nothing to redirect to without TLS")


def flag(item: "Field[Any]") -> str:
    """The command-line option of a field."""
    return "--" + item.name.replace("_", "-")


def check_value(item: "Field[Any]", value: Any) -> None:
    """Raises OptionError unless `value` is empty where that is the default, or passes the check of its field."""
    check = item.metadata["check"]
    if check is None or (value == "" and item.default == ""):
        return
    if isinstance(check, str):
        allowed = re.fullmatch(PATTERNS[check], value) is not None
    else:
        allowed = isinstance(value, int) and check[0] <= value <= check[1]
    if not allowed:
        words = f"text like {PATTERNS[check]}" if isinstance(check, str) else f"{check[0]} to {check[1]}"
        raise OptionError(f"{flag(item)} is {value!r}, allowed is {words}")


def check_network(network: str) -> None:
    """Raises OptionError unless `network` is an address or a CIDR network without host bits."""
    try:
        ipaddress.ip_network(network)
    except ValueError as error:
        raise OptionError(f"--trusted is {network!r}: {error}") from error


def values(gateway: Gateway) -> dict[str, object]:
    """The value of every placeholder in the templates."""
    plain = {item.name: getattr(gateway, item.name) for item in fields(gateway)}
    tls = bool(gateway.tls_certificate)
    port = str(gateway.public_port or gateway.listen.rpartition(":")[2])
    return plain | {
        "body_limit_bytes": gateway.body_limit_mb * 2**20,
        "jobs_body_limit_bytes": gateway.jobs_body_limit_mb * 2**20,
        "rate": max(gateway.rate, 1),
        "rate_key": "$binary_remote_addr" if gateway.rate else '""',
        "retry_after": math.ceil(60 / max(gateway.rate, 1)),
        "shutdown_timeout": gateway.answer_timeout + 30,
        "trusted_sources": lines(f"    set_real_ip_from {network};" for network in gateway.trusted),
        "balancer_networks": lines(f"        {network} 1;" for network in gateway.trusted),
        "tls_flags": " ssl http2" if tls else "",
        "tls_include": "        include tls.conf;" if tls else "        # TLS is off.",
        "redirect_include": "\n    include redirect.conf;" if gateway.redirect_listen else "",
        "redirect_port": "" if port == "443" else f":{port}",
        "user_directive": user_directive(gateway.user),
    }


def lines(items: Any) -> str:
    """Lines of a block, or a comment in place of an empty one."""
    return "\n".join(items) or "    # none"


def user_directive(user: str) -> str:
    """Only root may choose a user; for everybody else the directive would be a warning at every start."""
    if not user:
        return "# Workers run as the user who starts nginx, or as nginx's built-in user when that is root."
    return f"# Workers drop root's rights. Default: a user compiled in. ngx_core_module.html#user\nuser {user};"


def render(gateway: Gateway) -> dict[str, str]:
    """The text of each configuration file by its name; tls.conf and redirect.conf only where they are used."""
    names = ["nginx.conf", "problems.conf", "problem_pages.conf"]
    names += ["tls.conf"] if gateway.tls_certificate else []
    names += ["redirect.conf"] if gateway.redirect_listen else []
    chosen = values(gateway)
    return {name: Template((TEMPLATES / name).read_text()).substitute(chosen) for name in names}


def write(gateway: Gateway, folder: Path) -> None:
    """Writes the configuration into `folder`, which becomes nginx's prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in render(gateway).items():
        (folder / name).write_text(text)


def parser() -> argparse.ArgumentParser:
    """Command-line options, one for each field of `Gateway`."""
    made = argparse.ArgumentParser(prog="python -m nginx.render", description="Render the gateway's configuration.")
    made.add_argument("folder", type=Path, help="folder to write to; it becomes nginx's prefix")
    for item in fields(Gateway):
        shown = "none" if item.default in ("", ()) else item.default
        keywords: dict[str, Any] = {"help": f"{item.metadata['says']} Default: {shown}.".replace("%", "%%")}
        if item.default == ():
            keywords["action"] = "append"
        else:
            keywords["type"] = type(item.default)
        made.add_argument(flag(item), default=argparse.SUPPRESS, metavar="VALUE", **keywords)
    return made


def main(arguments: list[str]) -> int:
    """Renders; returns 2 with a sentence on stderr when an option is no good."""
    chosen = vars(parser().parse_args(arguments))
    folder = chosen.pop("folder")
    if "trusted" in chosen:
        chosen["trusted"] = tuple(chosen["trusted"])
    try:
        write(Gateway(**chosen), folder)
    except OptionError as error:
        print(f"nginx.render: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
