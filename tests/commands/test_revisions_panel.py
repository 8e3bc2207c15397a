"""The page's panel tells which months a vendor revised: commit by commit, and since the last commit."""

from pathlib import Path

from stages.commands.live_sections import revisions
from stages.configuration.compose import compose
from stages.fetching.listing_history import relisted
from stages.params.study import Study


def listing(project, **md5: str) -> None:
    """A listing of AAPL's months, `jan="a"` being the content of January."""
    months = {"jan": "2024-01", "feb": "2024-02", "mar": "2024-03"}
    files = [
        {"uri": f"AAPL_{months[name]}.parquet", "symbol": "AAPL", "month": months[name], "size": 1, "md5": content}
        for name, content in md5.items()
    ]
    project.write_json("conf/manifests/my_bars.json", {"files": files})


def panel(project):
    study = Study.parse(compose(Path("conf"), ["source=parquet", "universe=us_equity", "costs=us_equity"]))
    return revisions(study.source.name, relisted(study.source.name))


def test_a_source_that_was_listed_once_has_no_revisions(project):
    listing(project, jan="a")
    project.commit()
    section = panel(project)

    assert "Since the last commit the vendor of source my_bars revised nothing" in section.sentences[0]
    assert section.grids == ()


def test_each_commit_tells_what_it_accepted_and_the_workspace_what_it_has_not(project):
    listing(project, jan="a", feb="a")
    project.commit()
    listing(project, jan="b", feb="a", mar="a")
    commit = project.commit()
    project.commit()  # of something else
    listing(project, jan="b", feb="b")
    section = panel(project)

    assert "revised AAPL 2024-02, as far" in section.sentences[0]
    (first, second) = (row.cells for row in section.grids[0].rows)
    assert commit.startswith(first[0])
    assert first[2:] == ("AAPL 2024-01", "AAPL 2024-03", "none")
    assert second == ("not committed", "", "AAPL 2024-02", "none", "AAPL 2024-03")


def test_a_listing_that_was_committed_with_the_marks_of_a_conflict_is_passed_over(project):
    listing(project, jan="a")
    project.commit()
    (project.path / "conf/manifests/my_bars.json").write_text("<<<<<<< HEAD\n")
    project.commit()
    listing(project, jan="b")
    mended = project.commit()
    (change,) = panel(project).grids[0].rows
    assert mended.startswith(change.cells[0])
    assert change.cells[2] == "AAPL 2024-01"


SIGNATURE = "gpgsig -----BEGIN SSH SIGNATURE-----\n x\n -----END SSH SIGNATURE-----\n\n"


def test_what_git_would_say_of_signatures_is_no_commit(project):
    listing(project, jan="a")
    project.commit()
    listing(project, jan="b")
    project.commit()
    signed = project.git("cat-file", "commit", "HEAD").replace("\n\n", f"\n{SIGNATURE}", 1)
    (project.path / "signed").write_text(signed)
    commit = project.git("hash-object", "-t", "commit", "-w", "signed").strip()
    project.git("reset", "-q", "--hard", commit)
    project.git("config", "log.showSignature", "true")
    (change,) = panel(project).grids[0].rows
    assert commit.startswith(change.cells[0])


def test_a_source_that_was_never_listed_has_a_panel_too(project):
    assert panel(project).grids == ()
