#!/usr/bin/env python3
"""Judges the examples of deployment: by the schemas of what reads them, and by the program itself.

Compose files and Kubernetes manifests must fit the schemas of Compose and of Kubernetes, the unit
must be one for systemd, and every configuration that any of them brings along must be one that
cistern takes. Last, each judge is given something wrong, which it must refuse.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parent.parent / "rules" / "examples" / "deploy"
BINARY = Path(os.environ["DEPLOY_BINARY"]).resolve()
TOOLS = Path(sys.executable).parent
KINDS = {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"}


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}" or str(done.returncode)


def fits_compose(path):
    return run(TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)


def fits_kubernetes(manifest):
    try:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)
        return ""
    except kubernetes_validate.ValidationError as error:
        return error.message


def fits_systemd(text):
    with tempfile.TemporaryDirectory() as home:
        unit = Path(home) / "cistern.service"
        unit.write_text(re.sub(r"/usr/local/bin/cistern", str(BINARY), text))
        return run("systemd-analyze", "verify", unit)


def is_taken(files):
    """Whether cistern starts with these files; a token file is made, as the comments there say."""
    with tempfile.TemporaryDirectory() as home:
        tokens = Path(home) / "tokens.toml"
        made = run(BINARY, "tokens", "create", "probe", "--role", "read", "--file", tokens)
        if made:
            return made
        for name, text in files.items():
            (Path(home) / name).write_text(text.replace("/etc/cistern-tokens/", f"{home}/"))
        command = [BINARY, "run", "--check-only", "--config", "cistern.toml"]
        return run(*command, cwd=home)


def told(path):
    return path.read_text(encoding="utf-8")


def judged():
    """What is judged, and what is wrong with it."""
    compose, unit = DEPLOY / "compose", told(DEPLOY / "cistern.service")
    yield "compose.yaml", fits_compose(compose / "compose.yaml")
    files = {name: told(compose / name) for name in ["cistern.toml", "rules.toml"]}
    yield "the configuration of compose.yaml", is_taken(files)
    mounted = {line.split(":")[0].removeprefix("./") for service in
               yaml.safe_load(told(compose / "compose.yaml"))["services"].values()
               for line in service.get("volumes", [])}
    made = {"tokens.toml", "cistern.token"}
    yield "what compose.yaml mounts", "" if all(
        name in made or (compose / name).exists() for name in mounted) else f"missing in {mounted}"
    manifests = list(yaml.safe_load_all(told(DEPLOY / "kubernetes.yaml")))
    for one in manifests:
        yield f"{one['kind']} {one['metadata']['name']}", fits_kubernetes(one)
    kinds = {one["kind"] for one in manifests}
    yield "kubernetes.yaml", "" if kinds == KINDS else f"has {kinds}"
    for one in manifests:
        if one["kind"] == "ConfigMap":
            yield "the configuration of kubernetes.yaml", is_taken(one["data"])
    yield "cistern.service", fits_systemd(unit)
    # What must be refused.
    bad = next(one for one in manifests if one["kind"] == "Service")
    bad["spec"]["porst"] = []
    yield "a wrong manifest", "" if fits_kubernetes(bad) else "is taken"
    wrong = unit.replace("ExecStart=", "ExecStrat=")
    yield "a wrong unit", "" if fits_systemd(wrong) else "is taken"
    files["rules.toml"] += 'ttll = "1s"\n'
    yield "a wrong configuration", "" if is_taken(files) else "is taken"
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("services: {a: {imag: x}}\n")
        file.flush()
        yield "a wrong compose file", "" if fits_compose(file.name) else "is taken"


def main():
    passed = failed = 0
    for what, wrong in judged():
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print(f"{'FAILED' if wrong else 'ok':7} {what}{': ' + wrong if wrong else ''}")
    print(f"outcome: {passed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
