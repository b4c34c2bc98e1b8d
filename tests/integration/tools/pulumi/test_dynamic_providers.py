"""Dynamic providers run in a process of their own, found by name, with their credentials from the configuration."""

import base64

from tests.integration.parts.pulumi import Project

PROVIDER = """
    from pathlib import Path

    from pulumi import Output
    from pulumi.dynamic import (
        CheckFailure, CheckResult, ConfigureRequest, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider,
        UpdateResult,
    )

    class FileProvider(ResourceProvider):
        def configure(self, request: ConfigureRequest) -> None:
            self.token = request.config.require("token")

        def check(self, olds, news):
            failures = [] if news["text"] else [CheckFailure("text", "expected a text, got none")]
            return CheckResult(news, failures)

        def create(self, props):
            Path(props["path"]).write_text(props["text"])
            return CreateResult(props["path"], self.outs(props))

        def diff(self, id, olds, news):
            moved = ["path"] if olds["path"] != news["path"] else []
            return DiffResult(changes=bool(moved) or olds["text"] != news["text"], replaces=moved)

        def update(self, id, olds, news):
            Path(news["path"]).write_text(news["text"])
            return UpdateResult(self.outs(news))

        def read(self, id, props):
            text = Path(id).read_text()
            return ReadResult(id, {**props, "text": text}, {"path": id, "text": text})

        def delete(self, id, props):
            Path(id).unlink()

        def outs(self, props):
            return {**props, "length": len(props["text"]), "token_length": len(self.token)}

    class File(Resource):
        length: Output[float]
        token_length: Output[float]

        def __init__(self, name, path, text):
            super().__init__(FileProvider(), name, {"path": path, "text": text, "length": None, "token_length": None})
"""
PROGRAM = """
    import pulumi
    from files import File

    config = pulumi.Config()
    file = File("file", path=config.require("path"), text=config.get("text"))
    pulumi.export("length", file.length)
    pulumi.export("tokenLength", file.token_length)
"""


def test_a_dynamic_resource_lives_through_its_verbs(project: Project) -> None:
    project.write(PROVIDER, "files.py")
    project.write(PROGRAM)
    path = project.folder / "file"
    project.run("config", "set", "--secret", "token", "hunter22hunter22")
    project.configure(path=str(path), text="one")
    project.up()
    assert path.read_text() == "one"
    assert project.outputs() == {"length": 3, "tokenLength": 16}
    assert "2 unchanged" in project.up()
    project.configure(text="three")
    assert "1 updated" in project.up()
    assert project.outputs()["length"] == 5
    path.write_text("edited")
    assert "~ 1 updated" in project.refresh()
    project.up()
    assert path.read_text() == "three"
    project.configure(text="")
    assert "expected a text, got none" in project.preview(fails=True)
    project.configure(path=str(project.folder / "elsewhere"), text="three")
    assert "1 replaced" in project.up()
    assert not path.exists()
    kept = project.state_files()
    assert "hunter22hunter22" not in kept
    assert base64.b64encode(b"hunter22hunter22").decode() not in kept
    project.destroy()
    assert not (project.folder / "elsewhere").exists()
