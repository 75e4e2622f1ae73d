"""The renderer: every option arrives in the configuration, nginx accepts it, a bad one is named in a sentence."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.requests import SANE_ID
from nginx.render import TEMPLATES, Gateway, OptionError, main, render
from tests.nginx.gateway import NGINX

FULL = [
    *("--listen", "[::1]:8443", "--upstream", "unix:/run/hush/gunicorn.sock", "--body-limit-mb", "7", "--rate", "0"),
    *("--burst", "3", "--trusted", "10.0.0.0/8", "--trusted", "2001:db8::/32", "--answer-timeout", "9"),
    *("--keepalive", "99", "--access-log", "/dev/stdout", "--error-log", "stderr", "--workers", "3"),
]


@pytest.mark.parametrize("arguments", [[], FULL], ids=["defaults", "full"])
def test_nginx_accepts_it(need_nginx: None, tmp_path: Path, arguments: list[str]) -> None:
    assert main([str(tmp_path), *arguments]) == 0
    command = [str(NGINX), "-t", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "error.log"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "[warn]" not in done.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"listen": "8081"}, "listen 8081 default_server;"),
        ({"upstream": "unix:/run/a.sock"}, "server unix:/run/a.sock max_fails=0;"),
        ({"body_limit_mb": 3}, "client_max_body_size 3m;"),
        ({"rate": 77}, "rate=77r/m;"),
        ({"rate": 0}, 'default "";'),
        ({"burst": 5}, "burst=5 nodelay;"),
        ({"trusted": ("10.1.0.0/16",)}, "set_real_ip_from 10.1.0.0/16;"),
        ({"trusted": ("10.1.0.0/16",)}, "10.1.0.0/16 1;"),
        ({"answer_timeout": 44}, "proxy_read_timeout 44s;"),
        ({"keepalive": 88}, "keepalive_timeout 88s;"),
        ({"tls_certificate": "/c.pem", "tls_key": "/k.pem"}, "default_server ssl http2;"),
        ({"access_log": "/dev/stdout"}, "access_log /dev/stdout json_lines;"),
        ({"error_log": "stderr"}, "error_log stderr warn;"),
        ({"workers": "2"}, "worker_processes 2;"),
        ({"user": "www-data"}, "user www-data;"),
    ],
)
def test_option_arrives(options: dict[str, Any], expected: str) -> None:
    assert expected in render(Gateway(**options))["nginx.conf"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"listen": "8080; include /etc/passwd"}, "--listen"),
        ({"upstream": "localhost"}, "--upstream"),
        ({"body_limit_mb": 0}, "--body-limit-mb"),
        ({"rate": -1}, "--rate"),
        ({"burst": 0}, "--burst"),
        ({"trusted": ("10.0.0.1/8",)}, "10.0.0.1/8"),
        ({"trusted": ("balancer",)}, "balancer"),
        ({"answer_timeout": 0}, "--answer-timeout"),
        ({"keepalive": 0}, "--keepalive"),
        ({"tls_certificate": "/c.pem"}, "--tls-key"),
        ({"tls_certificate": "/c d.pem", "tls_key": "/k.pem"}, "--tls-certificate"),
        ({"redirect_listen": "80"}, "--redirect-listen"),
        ({"public_port": 65_536}, "--public-port"),
        ({"access_log": "a; b"}, "--access-log"),
        ({"error_log": "$host"}, "--error-log"),
        ({"workers": "0"}, "--workers"),
        ({"user": "Root;"}, "--user"),
    ],
)
def test_bad_option_is_named(options: dict[str, Any], named: str) -> None:
    with pytest.raises(OptionError, match=named):
        Gateway(**options)


def test_command_line_reports_in_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nginx.render", str(tmp_path), "--trusted", "everybody"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TEMPLATES.parent.parent, timeout=20)
    assert done.returncode == 2
    assert done.stderr.startswith("nginx.render: --trusted is 'everybody'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("listen", "public_port", "said"),
    [("[::]:443", 0, "$host$"), ("8443", 0, "$host:8443$"), ("8443", 443, "$host$"), ("443", 8443, "$host:8443$")],
)
def test_plain_http_is_sent_to_the_port_that_clients_see(listen: str, public_port: int, said: str) -> None:
    tls = {"tls_certificate": "/c.pem", "tls_key": "/k.pem", "redirect_listen": "80"}
    redirect = render(Gateway(listen=listen, public_port=public_port, **tls))["redirect.conf"]
    assert f"return 308 https://{said}request_uri;" in redirect


def test_request_ids_follow_the_rule_of_the_application() -> None:
    assert f'"~^{SANE_ID.pattern}$" $http_x_request_id;' in render(Gateway())["nginx.conf"]


def test_nothing_is_left_to_fill_in() -> None:
    full = Gateway(tls_certificate="/c.pem", tls_key="/k.pem", redirect_listen="80")
    rendered = render(full)
    assert set(rendered) == {path.name for path in TEMPLATES.iterdir()}
    assert not [name for name, text in rendered.items() if "%{" in text]
