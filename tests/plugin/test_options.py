"""Each option: on the command line, in the environment, in the ini file, in that order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_agog.session.options import Options
from pytest_agog.session.run import run_of
from pytest_agog.stage.servers.nats import NatsServer
from tests.plugin.projects import ONE, Run

OTHER = "nats://user:secret@127.0.0.1:4999"


def read(pytester: pytest.Pytester, *arguments: str) -> Options:
    """The options of a run with these arguments, in the project's folder."""
    return run_of(pytester.parseconfig(*arguments)).options


@pytest.mark.parametrize(
    ("name", "command", "environment", "ini"),
    [
        ("backend", "embedded", "cluster", "embedded"),
        ("nats_url", "nats://a:1", "nats://b:1", "nats://c:1"),
        ("postgres_dsn", "postgresql://a/x", "postgresql://b/x", "postgresql://c/x"),
    ],
)
def test_the_command_line_before_the_environment_before_the_ini_file(
    project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch,
    name: str, command: str, environment: str, ini: str,
) -> None:  # fmt: skip
    flag = f"--agog-{name.replace('_', '-')}={command}"
    assert getattr(read(pytester), name) in (None, "embedded")
    pytester.makeini(f"[pytest]\nagog_{name} = {ini}\n")
    assert getattr(read(pytester), name) == ini
    monkeypatch.setenv(f"AGOG_{name.upper()}", environment)
    assert getattr(read(pytester), name) == environment
    assert getattr(read(pytester, flag), name) == command
    monkeypatch.setenv(f"AGOG_{name.upper()}", "")
    assert getattr(read(pytester), name) == ini


@pytest.mark.parametrize("name", ["keep", "debug"])
def test_flags(project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert getattr(read(pytester), name) is False
    assert getattr(read(pytester, f"--agog-{name}"), name) is True
    pytester.makeini(f"[pytest]\nagog_{name} = true\n")
    assert getattr(read(pytester), name) is True
    monkeypatch.setenv(f"AGOG_{name.upper()}", "0")
    assert getattr(read(pytester), name) is False
    monkeypatch.setenv(f"AGOG_{name.upper()}", "yes")
    assert getattr(read(pytester), name) is True


def test_paths_of_the_ini_file_are_relative_to_it(
    project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nagog_report = out\nagog_data = data more\nagog_scenarios = plays\n")
    below = project / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    options = read(pytester)
    assert options.report == project / "out"
    assert options.data_roots == (project / "data", project / "more")
    assert options.folders == (project / "plays",)
    assert read(pytester, "--agog-report=out").report == below / "out"
    monkeypatch.setenv("AGOG_REPORT", "here")
    assert read(pytester).report == below / "here"


def test_required_parts(project: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(pytester).require == frozenset()
    assert read(pytester, "--agog-require=browser,docker").require == {"browser", "docker"}
    monkeypatch.setenv("AGOG_REQUIRE", "browser, prometheus")
    assert read(pytester).require == {"browser", "prometheus"}
    monkeypatch.delenv("AGOG_REQUIRE")
    pytester.makeini("[pytest]\nagog_require = docker browser\n")
    assert read(pytester).require == {"browser", "docker"}


def test_an_address_implies_the_external_backend(project: Path, pytester: pytest.Pytester) -> None:
    assert read(pytester, "--agog-nats-url=nats://a:1").backend == "external"
    assert read(pytester, "--agog-postgres-dsn=postgresql://a/x").backend == "embedded"


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--agog-backend=cloud"], {}, "--agog-backend=cloud: expected one of embedded, cluster, container, external"),
        ([], {"AGOG_BACKEND": "external"}, "--agog-backend=external needs --agog-nats-url (or AGOG_NATS_URL)"),
        (["--agog-backend=cluster", "--agog-nats-url=nats://a:1"], {}, "*contradict each other*"),
        (["--agog-require=browsr"], {}, "--agog-require=browsr: expected some of browser, docker, prometheus"),
        ([], {"AGOG_KEEP": "perhaps"}, "AGOG_KEEP=perhaps: expected 1 or 0"),
        (["--agog-target=nowhere.yaml"], {}, "--agog-target=*nowhere.yaml: there is no such file"),
        (["--agog-report=one.yaml/out"], {}, "The report cannot be written to *one.yaml/out (Not a directory)*"),
    ],
)
@pytest.mark.parametrize("named", ["--agog-scenario=one.yaml", "one.yaml"])
def test_values_that_cannot_be(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str], message: str,
    named: str,
) -> None:  # fmt: skip
    Path("one.yaml").write_text(ONE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run(named, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_reports_are_written_and_named(run: Run) -> None:
    Path("one.yaml").write_text(ONE)
    Path("conftest.py").write_text(
        "def pytest_agog_report(result):\n    return f'**{result.scenario.title}** was here.'\n"
    )
    result = run("--agog-scenario=one.yaml", "--agog-report=some/out")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["report: some/out"])
    out = Path("some/out")
    assert json.loads((out / "report.json").read_text())["scenarios"][0]["path"] == "one.yaml"
    assert "**one** was here." in (out / "summary.md").read_text()
    assert (out / "bundle" / "one").is_dir()


def test_external_servers_are_used_and_secrets_masked(run: Run, tmp_path: Path) -> None:
    Path("one.yaml").write_text(ONE.replace("subject: test.x}\n  - id", "subject: test.z}\n  - id"))
    with NatsServer(tmp_path / "nats") as server:
        url = server.url.replace("nats://", "nats://someone:secret@")
        result = run("--agog-scenario=one.yaml", f"--agog-nats-url={url}")
    result.assert_outcomes(passed=2, failed=1)
    masked = server.url.replace("nats://", "nats://someone:?*?*@")
    result.stdout.fnmatch_lines([f"again *--agog-scenario=one.yaml::seen *--agog-nats-url={masked}*"])
    assert "secret" not in str(result.stdout).replace("secrets_masked", "")


TARGET = "agog_target: 1\nname: jangar\ncomponents:\n  deliverables: reference\n"


def test_a_target_stands_in_the_report(run: Run) -> None:
    Path("one.yaml").write_text(ONE)
    Path("target.yaml").write_text(TARGET)
    assert run("--agog-scenario=one.yaml", "--agog-target=target.yaml", "--agog-report=out").ret == 0
    assert json.loads(Path("out/report.json").read_text())["environment"]["target"] == "jangar"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TARGET.replace("reference", "{external: true}"),
            "target.yaml:4:17: this version plays *deliverables*",
        ),
        (TARGET + "  comms: {process: {command: ['${x}']}}\n", "target.yaml:5:31: unknown variable*"),
        (TARGET + "  deliverable: reference\n", "target.yaml:5:3: *did you mean 'deliverables'?"),
        (TARGET.replace("name: jangar", "nam: x"), "target.yaml:*name*"),
        ("agog_target: 2\nname: x\n", "target.yaml:1:14: *"),
        ("- a\n", "target.yaml:1:1: a target is a mapping"),
        ("a: [\n", "target.yaml:2:1: not valid YAML*"),
    ],
)
def test_a_target_that_is_wrong_is_told_with_its_place(run: Run, text: str, message: str) -> None:
    Path("one.yaml").write_text(ONE)
    Path("target.yaml").write_text(text)
    result = run("--agog-scenario=one.yaml", "--agog-target=target.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])
    result.stderr.no_fnmatch_line("*Traceback*")
