"""Programs run on the stacks' environment, and what goes wrong in them is shown once, without the machinery."""

import subprocess

from tests.integration.parts.pulumi import Project


def test_an_exception_is_shown_from_the_programs_own_frames_on(project: Project) -> None:
    project.write("def build():\n    raise ValueError('no such machine')\n\nbuild()\n")
    ran = project.preview(fails=True)
    assert "ValueError: no such machine" in ran
    assert "line 2, in build" in ran
    assert "runpy" not in ran
    assert ran.output.count("no such machine'") <= 1


def test_a_folder_without_a_program_is_named(project: Project) -> None:
    assert "expected a program, found no __main__.py" in project.preview(fails=True)


def test_configuration_arrives_typed_and_secret_values_stay_secret(project: Project) -> None:
    project.write("""
        import pulumi
        config = pulumi.Config()
        pulumi.export("object", config.require_object("object"))
        pulumi.export("secret", config.require_secret("secret"))
        pulumi.export("project", [pulumi.get_project(), pulumi.get_stack(), pulumi.get_organization()])
    """)
    project.run("config", "set", "--path", "object.list[0]", "7")
    project.run("config", "set", "--secret", "secret", "hunter22hunter22")
    project.up()
    assert project.outputs() == {
        "object": {"list": [7]},
        "secret": "[secret]",
        "project": ["project", "test", "organization"],
    }
    assert "hunter22hunter22" not in project.state_files()


def test_a_programs_own_virtual_environment_is_used(project: Project) -> None:
    folder = project.folder / "venv/bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nOWN=yes exec {project.installation.python} "$@"\n')
    (folder / "python").chmod(0o755)
    (project.folder / "Pulumi.yaml").write_text("name: project\nruntime: {name: python, options: {virtualenv: venv}}\n")
    project.write("import os, pulumi\npulumi.export('own', os.environ.get('OWN'))\n")
    project.up()
    assert project.outputs() == {"own": "yes"}
    (folder / "python").unlink()
    assert "runtime.options.virtualenv: venv: expected a virtual environment" in project.preview(fails=True)


def test_the_passphrase_and_the_state_are_the_owners_alone(project: Project) -> None:
    state = project.folder / "state/pulumi"
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "passphrase").stat().st_mode & 0o777 == 0o600


def test_pulumi_about_names_the_interpreter(project: Project) -> None:
    project.write("")
    version = subprocess.check_output([project.installation.python, "--version"], text=True).split()[1]
    assert version in project.run("about")
