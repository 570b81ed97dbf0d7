"""The deployment files say only what exists: commands, options, variables, services, files and packages."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pytest
import typer
import yaml
from jsonschema import Draft202012Validator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from broker.settings import Settings, load_settings
from tests.unit.compose_schema import COMPOSE
from workers.cli import app

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE_FILE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
IMAGES = {"workers": "docker/workers.Dockerfile", "trainer": "docker/recognition.Dockerfile"}
GIVEN = {"POSTGRES_PASSWORD": "p@ss:word/1", "LINKNER_LLM_BASE_URL": "http://llm:8000/v1"}
MODEL_LIBRARIES = {"torch", "transformers", "ray", "sentence-transformers"}


def resolved(value: str, given: dict[str, str]) -> str:
    """The value as Compose reads it: ${NAME?message} and ${NAME:?message} must be given."""
    return re.sub(r"\$\{(\w+):?\?[^}]*\}", lambda match: given[match[1]], value)


def environment(service: dict[str, Any]) -> dict[str, str]:
    """What a container of the service gets, where only the variables that must be given are."""
    variables: dict[str, str | None] = service.get("environment", {})
    return {name: resolved(value, GIVEN) for name, value in variables.items() if value is not None}


def parsed(command: list[str]) -> dict[str, Any]:
    """The parameters of a `linkner` command line; fails where the command would not take it."""
    name, *arguments = command
    command_line = typer.main.get_group(app)
    found = command_line.get_command(typer.Context(command_line), name)
    assert found is not None
    return dict(found.make_context(name, list(arguments)).params)


def test_the_compose_file_has_the_right_form() -> None:
    Draft202012Validator(COMPOSE).validate(COMPOSE_FILE)


def test_every_role_has_a_service() -> None:
    commands = {" ".join(service["command"][:3]) for service in OURS.values()}

    assert {command for command in commands if not command.startswith(("serve", "gateway"))} == {
        "migrate", "relay", "batcher", "worker recognise", "worker classify", "worker ingest aggregate",
    }  # fmt: skip
    assert {"gateway", "recognition", "redis", "postgres"} <= SERVICES.keys()


@pytest.mark.parametrize("name", OURS)
def test_every_command_and_its_options_exist(name: str) -> None:
    assert parsed(OURS[name]["command"]) is not None


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting(name: str) -> None:
    aliases = {field.validation_alias for field in Settings.model_fields.values() if field.validation_alias}
    known = {f"LINKNER_{field.upper()}" for field in Settings.model_fields} | aliases | {"PGPASSWORD"}

    assert OURS[name].get("environment", {}).keys() <= known


@pytest.mark.parametrize("name", OURS)
def test_the_settings_take_what_a_service_is_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(OURS[name]).items():
        monkeypatch.setenv(variable, value)

    settings = load_settings()

    if name != "recognition":
        settings.require("postgres_url", "redis_url")
    if name in {"recognise-worker", "llm-caller", "batcher", "relay", "gateway"}:
        assert settings.has_llm


def test_what_the_readme_says_of_settings_can_be_set() -> None:
    elsewhere = {"LINKNER_API_KEY", "LINKNER_FOLDER"}  # of commands, wherever they run
    told = set(re.findall(r"LINKNER_[A-Z_]+[A-Z]", (ROOT / "README.md").read_text())) - elsewhere
    known = {variable for service in OURS.values() for variable in service.get("environment", {})}

    assert told - known == set()


def test_whoever_pays_for_answers_knows_the_same_limits() -> None:
    caller, batcher = (OURS[name]["environment"].keys() for name in ("llm-caller", "batcher"))

    assert {one for one in caller - batcher if "MONEY" in one or "BUDGET" in one or "CACHE" in one} == set()
    assert "LINKNER_LLM_MONEY_PER_DAY" in caller & batcher


def addresses(service: dict[str, Any]) -> list[SplitResult]:
    """The URLs that a service is given, but for the LLM's, which is nobody's here."""
    urls = [urlsplit(value) for name, value in environment(service).items() if name.endswith("_URL")]
    return [url for url in urls if url.hostname != "llm"]


def test_the_addresses_of_all_three_servers_are_given() -> None:
    assert {url.hostname for service in OURS.values() for url in addresses(service)} == {
        "postgres", "redis", "recognition",
    }  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_addresses_name_services_and_the_ports_they_listen_on(name: str) -> None:
    listening = {"postgres": 5432, "redis": 6379} | {
        other: int(parsed(OURS[other]["command"])["port"]) for other in ("recognition", "gateway")
    }

    for url in addresses(OURS[name]):
        assert listening[str(url.hostname)] == url.port


def test_every_service_that_stays_has_a_health_check() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate"}


@pytest.mark.parametrize("name", [name for name in OURS if "port" not in parsed(OURS[name]["command"])])
def test_health_checks_of_workers_look_at_the_file_that_they_touch(name: str) -> None:
    if name != "migrate":
        (looked_at,) = re.findall(r"stat\('([^']+)'\)", OURS[name]["healthcheck"]["test"][-1])
        assert OURS[name]["environment"]["LINKNER_HEARTBEAT_FILE"] == looked_at


@pytest.mark.parametrize("name", [name for name in OURS if "port" in parsed(OURS[name]["command"])])
def test_health_checks_and_published_ports_are_those_listened_on(name: str) -> None:
    listened = str(parsed(OURS[name]["command"])["port"])

    assert re.findall(r"127\.0\.0\.1:(\d+)/", OURS[name]["healthcheck"]["test"][-1]) == [listened]
    assert all(port.rpartition(":")[2] == listened for port in OURS[name].get("ports", []))


def test_what_services_wait_for_exists_and_can_come_true() -> None:
    for service in SERVICES.values():
        for other, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            if wanted["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no"


def test_volumes_are_declared_and_used() -> None:
    used = {
        volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])
    }

    assert used == COMPOSE_FILE["volumes"].keys()


def test_every_service_of_ours_but_the_migration_can_be_scaled() -> None:
    for name in OURS.keys() - {"migrate"}:
        assert "container_name" not in OURS[name]
        for port in OURS[name].get("ports", []):
            low, high = re.search(r":-(\d+)-(\d+)\}:", port).groups()  # type: ignore[union-attr]
            assert int(high) > int(low)


def test_no_secret_has_a_value_of_its_own() -> None:
    for service in SERVICES.values():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|SECRET|TOKEN", variable):
                assert value is None or re.fullmatch(r"\$\{\w+:\?[^}]+\}", value)
            else:
                assert not re.search(r"://[^/@]*:[^/@]*@", value or "")


def test_redis_keeps_what_it_is_given() -> None:
    options = SERVICES["redis"]["command"]

    for option, value in {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
    }.items():
        assert options[options.index(f"--{option}") + 1] == value


@pytest.mark.parametrize(("extra", "path"), IMAGES.items())
def test_images_install_one_extra_as_locked_and_run_as_nobody_special(extra: str, path: str) -> None:
    lines = (ROOT / path).read_text().splitlines()
    sources = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]

    assert any(f'--constraint requirements.lock ".[{extra}]"' in line for line in lines)
    assert [line for line in lines if line.startswith("USER ")] == ["USER linkner"]
    assert lines.index("USER linkner") > max(i for i, line in enumerate(lines) if line.startswith("RUN "))
    assert lines[-1] == 'ENTRYPOINT ["linkner"]'
    assert all((ROOT / source).exists() for source in sources if not source.startswith(("--from", "/opt")))


def test_each_service_is_built_from_an_image_that_has_its_extra() -> None:
    built = {name: service["build"]["dockerfile"] for name, service in OURS.items()}

    assert built.pop("recognition") == IMAGES["trainer"]
    assert set(built.values()) == {IMAGES["workers"]}


def needed_by(extra: str) -> set[str]:
    """Every package that the project needs with one extra, through the packages installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: set[str] = set()
    waiting = [
        Requirement(line) for line in project["dependencies"] + project["optional-dependencies"][extra]
    ]
    while waiting:
        requirement = waiting.pop()
        key = f"{canonicalize_name(requirement.name)}[{','.join(sorted(requirement.extras))}]"
        if key in found:
            continue
        found |= {key, key.partition("[")[0]}
        needs = map(Requirement, importlib.metadata.requires(requirement.name) or [])
        extras = {"", *requirement.extras}
        waiting += [n for n in needs if not n.marker or any(n.marker.evaluate({"extra": e}) for e in extras)]
    return {name for name in found if "[" not in name}


def test_the_workers_image_has_no_model_library() -> None:
    assert needed_by("trainer") >= MODEL_LIBRARIES
    assert not needed_by("workers") & {*MODEL_LIBRARIES, "numpy", "tokenizers"}


def imported_by(*paths: str) -> list[str]:
    """The modules that these files import, at the top or inside a function."""
    nodes = [node for path in paths for node in ast.walk(ast.parse((ROOT / path).read_text()))]
    return sorted({node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module})


MODEL_COMMANDS = [str(path) for path in (ROOT / "workers/cli/model").glob("*.py")]
STARTED = {
    "workers": ["workers.cli", *imported_by("workers/cli/roles.py", "workers/bootstrap.py")],
    # The one module that only a live LLM needs says itself what is missing: see `live_judge.endpoint`.
    "trainer": ["workers.cli", *(set(imported_by(*MODEL_COMMANDS)) - {"workers.llm_client"})],
}


@pytest.mark.parametrize("extra", STARTED)
def test_an_image_has_every_package_that_its_commands_import(extra: str) -> None:
    absent = needed_by("workers") | needed_by("trainer") | needed_by("embedded") | needed_by("dev")
    absent -= needed_by(extra)
    packages = importlib.metadata.packages_distributions()
    modules = [module for module, names in packages.items() if {*map(canonicalize_name, names)} <= absent]
    program = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({modules!r}))  # importing one of these fails
for module in {STARTED[extra]!r}:
    importlib.import_module(module)
"""
    command = [sys.executable, "-c", program]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("extra", ["workers", "trainer", "embedded", "dev"])
def test_the_lock_pins_everything_at_a_version_that_the_project_takes(extra: str) -> None:
    pins = dict(line.split("==") for line in (ROOT / "requirements.lock").read_text().split() if "==" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert needed_by(extra) | {"pip", "setuptools"} <= pins.keys()
    for requirement in map(Requirement, project["optional-dependencies"][extra]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)])
