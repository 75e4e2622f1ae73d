"""User data becomes settings, nginx's configuration and labels of models; what is wrong is refused with a sentence."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from packer.instance.configure import Instance, InstanceError, environment, parse, relabelled
from tests.cloud.programs import ROOT, cloud_tool, program, run


def configure(folder: Path, document: Any) -> "subprocess.CompletedProcess[str]":
    source = folder / "instance.json"
    source.write_text(document if isinstance(document, str) else json.dumps(document))
    command = [sys.executable, "-m", "packer.instance.configure", str(source), str(folder / "made")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_without_user_data(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "packer.instance.configure", str(tmp_path / "none.json"), str(tmp_path / "made")]
    subprocess.run(command, cwd=ROOT, timeout=60, check=True)
    assert not (tmp_path / "made" / "lifecycle.json").exists()
    assert not (tmp_path / "made" / "jobs").exists()
    assert "HUSH_MODELS_DIR" not in (tmp_path / "made" / "hush.env").read_text()


def test_everything(tmp_path: Path) -> None:
    document = {
        "trusted_networks": ["10.80.0.0/16"],
        "request_timeout_s": 200,
        "keepalive_s": 230,
        "client_rate": 30,
        "client_burst": 5,
        "body_limit_mb": 64,
        "drain_s": 15,
        "log_group": "/hush-staging",
        "settings": {"HUSH_MAX_SECONDS": "7200", "HUSH_JOBS_BUCKET": "b-1", "HUSH_JOBS_MAX_BODY_BYTES": "2000000000"},
        "model_labels": {"production": "lsa"},
        "lifecycle": {"region": "eu-central-1", "group": "hush-blue", "launch_hook": "a", "termination_hook": "b"},
    }
    done = configure(tmp_path, document)
    assert done.returncode == 0, done.stderr
    made = tmp_path / "made"
    nginx = (made / "nginx" / "nginx.conf").read_text()
    assert "set_real_ip_from 10.80.0.0/16;" in nginx
    assert "keepalive_timeout 230s;" in nginx
    assert "proxy_read_timeout 200s;" in nginx
    assert "client_max_body_size 64m;" in nginx
    assert "client_max_body_size 1908m;" in nginx  # of /jobs
    assert (made / "jobs").exists()
    variables = dict(line.split("=", 1) for line in (made / "hush.env").read_text().splitlines())
    assert variables["HUSH_MAX_BODY_BYTES"] == f'"{64 * 2**20}"'
    assert variables["HUSH_GRACEFUL_TIMEOUT_S"] == '"200"'
    assert variables["HUSH_MAX_SECONDS"] == '"7200"'
    assert variables["HUSH_MODELS_DIR"] == f'"{made / "models"}"'
    assert (made / "serving.env").read_text() == 'DRAIN_SECONDS="15"\n'
    assert json.loads((made / "lifecycle.json").read_text())["group"] == "hush-blue"
    assert '"/hush-staging/access"' in (made / "cloudwatch-agent.json").read_text()
    index = json.loads((made / "models" / "hyperparams.json").read_text())
    assert [key for key, entry in index.items() if "production" in entry["labels"]] == ["lsa"]


def test_nginx_takes_it(tmp_path: Path) -> None:
    """`nginx -t` reads the rendered configuration; only the places of the log and the socket are this machine's."""
    nginx = program("nginx", "nginx-light")
    assert configure(tmp_path, {"trusted_networks": ["10.80.0.0/16"], "client_rate": 60}).returncode == 0
    configuration = tmp_path / "made" / "nginx" / "nginx.conf"
    configuration.write_text(configuration.read_text().replace("/var/log/hush-nginx/", f"{tmp_path}/"))
    done = run(nginx, "-t", "-q", "-p", str(tmp_path), "-c", str(configuration), "-e", "stderr")
    assert done.returncode == 0, done.stdout


def refuses_before_allow(issue: dict[str, Any]) -> bool:
    """Whether gixy fears an answer that comes before `allow` and `deny`, and that answer is 403 (/metrics)."""
    answers = re.findall(r"return ([^;]+);", issue["config"])
    return bool(issue["plugin"] == "return_bypasses_allow_deny" and set(answers) == {"403"})


def test_gixy_finds_nothing(tmp_path: Path) -> None:
    gixy = cloud_tool("gixy")
    assert configure(tmp_path, {"trusted_networks": ["10.80.0.0/16"], "client_rate": 60}).returncode == 0
    configuration = tmp_path / "made" / "nginx" / "nginx.conf"
    found = json.loads(run(gixy, "--format", "json", str(configuration)).stdout or "[]")
    assert [issue for issue in found if not refuses_before_allow(issue)] == []
    # And would find something.
    text = configuration.read_text()
    configuration.write_text(text.replace("proxy_set_header Host $host;", "proxy_set_header Host $http_host;"))
    assert "host_spoofing" in run(gixy, "--format", "json", str(configuration)).stdout


def test_the_service_takes_relabelled_models(tmp_path: Path) -> None:
    store = pytest.importorskip("inference.store", reason="torch is not installed in this environment")
    assert configure(tmp_path, {"model_labels": {"production": "lsa"}}).returncode == 0
    assert store.load_store(tmp_path / "made" / "models").resolve("production").info.key == "lsa"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[]", "must be a JSON object"),
        ("{", "Expecting property name"),
        ({"colour": "blue"}, "unknown members ['colour']"),
        ({"trusted_networks": ["10.0.0.1/16"]}, "trusted_networks"),
        ({"trusted_networks": "10.0.0.0/16"}, "trusted_networks"),
        ({"request_timeout_s": 301}, "allowed is 1 to 300"),
        ({"request_timeout_s": True}, "request_timeout_s"),
        ({"drain_s": -1}, "allowed is 0 to 300"),
        ({"body_limit_mb": 0}, "--body-limit-mb"),
        ({"client_rate": -5}, "--rate"),
        ({"settings": {"PATH": "/tmp"}}, "no HUSH_ variables"),
        ({"settings": {"HUSH_LOG_LEVEL": "info\nPATH=/tmp"}}, "settings"),
        ({"model_labels": {"production": "missing"}}, "there is no model ['missing']"),
        ({"log_group": "hush; rm"}, "log_group"),
    ],
)
def test_refusals(tmp_path: Path, document: Any, words: str) -> None:
    done = configure(tmp_path, document)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_label_is_taken_from_who_had_it() -> None:
    index = {"old": {"labels": ["production", "fast"]}, "new": {}}
    made = relabelled(index, {"production": "new"})
    assert made["old"]["labels"] == ["fast"]
    assert made["new"]["labels"] == ["production"]
    assert index["old"]["labels"] == ["production", "fast"]


def test_settings_of_the_instance_win() -> None:
    made = environment(parse({"settings": {"HUSH_GRACEFUL_TIMEOUT_S": "90"}}), None)
    assert made["HUSH_GRACEFUL_TIMEOUT_S"] == "90"


def test_quotes_reach_the_service(tmp_path: Path) -> None:
    """A value with quotes and a backslash, read as the shell reads it (systemd agrees for these)."""
    value = 'a "b" \\c'
    assert configure(tmp_path, {"settings": {"HUSH_X": value}}).returncode == 0
    script = f'. "{tmp_path}/made/hush.env"; printf %s "$HUSH_X"'
    assert run("bash", "-c", script, env=dict(os.environ)).stdout == value


def test_defaults_are_whole() -> None:
    assert parse({}) == Instance()
    with pytest.raises(InstanceError):
        parse(None)
