"""The stack without a cloud: form, consistency, its own tests with a mocked provider, and checkov's opinion."""

import json
import re
from pathlib import Path

import pytest

from packer.instance.configure import Instance
from terraform import cost, tables
from terraform.tables import blocks
from tests.cloud.programs import ROOT, cloud_tool, run
from tests.cloud.terraform_cli import STACK, Terraform

MODULES = tables.modules()
FILES = ["README.md", "main.tf", "outputs.tf", "variables.tf", "versions.tf"]


def test_form(terraform: Terraform) -> None:
    done = terraform.call("fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout


def test_valid(terraform: Terraform) -> None:
    terraform.run("validate")


@pytest.mark.timeout(400)
def test_own_tests(terraform: Terraform) -> None:
    """terraform/tests: defaults, wiring, every refusal."""
    done = terraform.run("test", seconds=380)
    passed = re.search(r"Success! (\d+) passed, 0 failed", done)
    assert passed, done
    assert int(passed[1]) >= 15


def test_checkov() -> None:
    """No complaint; every complaint that is waved off has its reason where the resource is."""
    checkov = cloud_tool("checkov")
    command = [checkov, "-d", str(STACK), "--framework", "terraform", "--compact", "--skip-download"]
    done = run(*command, "-o", "json", seconds=170)
    report = json.loads(done.stdout[done.stdout.index("{") :])
    assert report["summary"]["parsing_errors"] == 0
    assert [f"{item['check_id']} {item['resource']}" for item in report["results"]["failed_checks"]] == []
    assert report["summary"]["passed"] > 200
    reasons = [item["check_result"]["suppress_comment"] for item in report["results"]["skipped_checks"]]
    assert reasons
    assert [reason for reason in reasons if len(reason) < 20] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_have_the_same_files(module: Path) -> None:
    assert [name for name in FILES if not (module / name).is_file()] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_variables_and_outputs_are_described(module: Path) -> None:
    variables = dict(blocks("variable", module / "variables.tf"))
    outputs = dict(blocks("output", module / "outputs.tf"))
    assert variables
    assert outputs
    assert [name for name, body in variables.items() if not re.search(r"^  type +=", body, re.MULTILINE)] == []
    described = re.compile(r'^  description += ".{5,}"', re.MULTILINE)
    assert [name for name, body in {**variables, **outputs}.items() if not described.search(body)] == []


def test_root_variables_are_validated() -> None:
    """All but those whose type leaves nothing to say."""
    free = {"tags", "private_subnet_ids", "public_subnet_ids", "deletion_protection", "force_destroy_buckets"}
    free |= {"volume_kms_key_arn"}
    variables = dict(blocks("variable", STACK / "variables.tf"))
    assert {name for name, body in variables.items() if "validation {" not in body} == free


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_readmes_have_the_tables_of_now(module: Path) -> None:
    """`python -m terraform.tables` writes them."""
    assert (module / "README.md").read_text() == tables.rendered(module)


def test_the_cost_table_is_the_scripts() -> None:
    text = (ROOT / "docs" / "capacity.md").read_text()
    made = cost.table(cost.read_prices(cost.PRICES), speed=200, busy=0.3, transfer=False)
    assert f"<!-- cost -->\n{made}\n<!-- end -->" in text


def test_prices_move_the_cost() -> None:
    """Twice the price of an instance adds the instances' column once more."""
    price = cost.read_prices(cost.PRICES)
    dear = {**price, "instance_hour": 2 * price["instance_hour"]}
    size = cost.SIZES[2]
    hour = size.instances * cost.HOURS * price["instance_hour"]
    assert cost.instances(size, dear) - cost.instances(size, price) == pytest.approx(hour)
    assert cost.fixed(size, dear) == cost.fixed(size, price)


def test_the_example_names_real_variables(terraform: Terraform) -> None:
    example = (STACK / "terraform.tfvars.example").read_text()
    named = re.findall(r"^#? ?(\w+) += ", example, re.MULTILINE)
    known = dict(blocks("variable", STACK / "variables.tf"))
    assert named
    assert set(named) - set(known) == set()
    assert {"region", "image_id"} <= set(named)


def test_instance_json_is_what_the_image_reads() -> None:
    """The members that the fleet module writes are those that hush-configure knows."""
    text = (STACK / "modules" / "fleet" / "main.tf").read_text()
    body = re.search(r"^  instance = \{\n(.*?)^  \}", text, re.MULTILINE | re.DOTALL)
    assert body
    written = re.findall(r"^    (\w+) +=", body[1], re.MULTILINE)
    assert set(written) == set(Instance.__annotations__)


def test_nothing_of_a_run_is_in_the_tree() -> None:
    done = run("git", "ls-files", "--others", "--cached", "--exclude-standard", "terraform", cwd=ROOT)
    assert [name for name in done.stdout.split() if re.search(r"\.tfstate|\.terraform/|\.tfvars$", name)] == []
