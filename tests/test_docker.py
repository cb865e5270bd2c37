"""The container's files, checked without an engine: arguments, user, copied files."""

import re
from pathlib import Path

DOCKER = Path(__file__).parents[1] / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
ARGUMENTS = dict(re.findall(r"^ARG (\w+)=(.*)$", DOCKERFILE, flags=re.MULTILINE))


def test_cpu_is_the_default_and_no_index_is_wired_in():
    assert set(ARGUMENTS) == {"BASE", "TORCH", "TORCH_INDEX"}
    assert (ARGUMENTS["TORCH"], ARGUMENTS["TORCH_INDEX"]) == ("cpu", "")
    assert "://" not in DOCKERFILE + COMPOSE


def test_compose_and_the_readme_state_the_defaults_of_the_dockerfile():
    readme = (DOCKER / "README.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^ +(\w+): \$\{\1:-(.*)\}$", COMPOSE, flags=re.MULTILINE)) == ARGUMENTS
    assert (
        dict(re.findall(r"^\| `(\w+)` \| (?:`(.+?)`|none) \|", readme, flags=re.MULTILINE))
        == ARGUMENTS
    )


def test_the_user_is_a_number_other_than_root_and_set_after_the_last_step_that_needs_root():
    users = re.findall(r"^USER (.*)$", DOCKERFILE, flags=re.MULTILINE)
    assert [int(number) > 0 for number in users[-1].split(":")] == [True, True]
    assert DOCKERFILE.rindex("\nRUN ") < DOCKERFILE.rindex("\nUSER ")
    assert re.search(
        r"^ENV .*\bUSER=\w", DOCKERFILE, flags=re.MULTILINE
    )  # MONAI looks the caller's name up on import


def test_the_builder_gets_what_is_copied_and_nothing_else():
    copied = [
        name
        for line in re.findall(r"^COPY (.*)$", DOCKERFILE, flags=re.MULTILINE)
        for name in line.split()[:-1]
    ]
    rules = [
        line
        for line in (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line[0] != "#"
    ]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule[0] == "!"} == set(copied)
    assert rules[-1] == "**/__pycache__"


def test_compose_runs_without_a_network_on_a_read_only_image():
    assert {"network_mode: none", "read_only: true"} <= {
        line.strip() for line in COMPOSE.splitlines()
    }
