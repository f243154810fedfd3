"""Writing task files: whole or not at all, inside the root, and never over what somebody else has written."""

from __future__ import annotations

import pytest
from repositories import a_repository, task_text

from slowsched.errors import UsageError
from slowsched.work_tree import create_file, free_path, read_work_tree, replace_file, slug


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_reading_keeps_documents_and_problems(tmp_path):
    """Each document that states an id is an entry, broken ones as well; a second one of an id is a problem."""
    files = {"tasks/a.yaml": task_text("a") + "---\n" + task_text("b", "x: 1"), "tasks/b.yaml": task_text("a")}
    reading = read_work_tree(a_repository(tmp_path, files))
    found = [(entry.id, entry.path, entry.document.index, entry.declared is None) for entry in reading.entries]
    assert found == [
        ("a", "tasks/a.yaml", 0, False),
        ("b", "tasks/a.yaml", 1, True),
        ("a", "tasks/b.yaml", 0, False),
    ]
    assert [problem.code for problem in reading.problems] == ["unknown-key", "duplicate-id"]
    assert (len(reading.find("a")), len(reading.of_file("tasks/a.yaml"))) == (2, 2)


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("some task id", "some-task-id"),
        ("../../etc/passwd", "etc-passwd"),
        ("...", "task"),
        ("CON", "task-con"),
        ("Größe 日本", "größe-日本"),
        ("x" * 128, "x" * 60),
        ("a\0b", "a-b"),
    ],
)
def test_a_name_is_no_path(task_id, name):
    """An id gives a name of letters and digits."""
    assert slug(task_id) == name


def test_a_free_name_is_free_on_every_file_system(tmp_path):
    """Names that differ in upper and lower case only are taken as well."""
    (tmp_path / "A.yaml").touch()
    (tmp_path / "a-2.yaml").touch()
    assert free_path(tmp_path, "a").name == "a-3.yaml"


def test_a_new_file_is_never_one_that_exists(tmp_path):
    """A file that exists is left as it is, and nothing else is left behind."""
    create_file(tmp_path, tmp_path / "tasks" / "a.yaml", b"one")
    with pytest.raises(UsageError, match="exists already"):
        create_file(tmp_path, tmp_path / "tasks" / "a.yaml", b"two")
    assert ((tmp_path / "tasks" / "a.yaml").read_bytes(), names(tmp_path / "tasks")) == (b"one", ["a.yaml"])


@pytest.mark.parametrize("new", [b"two", None])
def test_what_was_changed_meanwhile_is_not_replaced(tmp_path, new):
    """A file that no longer holds what was read stays as somebody has made it."""
    (tmp_path / "a.yaml").write_bytes(b"another")
    with pytest.raises(UsageError, match="changed meanwhile"):
        replace_file(tmp_path, "a.yaml", b"one", new)
    assert ((tmp_path / "a.yaml").read_bytes(), names(tmp_path)) == (b"another", ["a.yaml"])


def test_a_file_keeps_its_rights(tmp_path):
    """A replaced file has the permissions that it had, and is written through a link."""
    (tmp_path / "real.yaml").write_bytes(b"one")
    (tmp_path / "real.yaml").chmod(0o640)
    (tmp_path / "link.yaml").symlink_to("real.yaml")
    replace_file(tmp_path, "link.yaml", b"one", b"two")
    assert ((tmp_path / "real.yaml").read_bytes(), (tmp_path / "real.yaml").stat().st_mode & 0o777) == (b"two", 0o640)
    assert (tmp_path / "link.yaml").is_symlink()


def test_nothing_is_written_outside_of_the_root(tmp_path):
    """A link that leads out is not followed, for a new file and for one that exists."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a.yaml").write_bytes(b"one")
    (root / "tasks").symlink_to(outside)
    with pytest.raises(UsageError, match="is outside of"):
        create_file(root, root / "tasks" / "b.yaml", b"two")
    with pytest.raises(UsageError, match="is outside of"):
        replace_file(root, "tasks/a.yaml", b"one", b"two")
    assert ((outside / "a.yaml").read_bytes(), names(outside)) == (b"one", ["a.yaml"])
