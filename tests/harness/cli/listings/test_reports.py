"""The list of reports says what their classes say, and imports those alone whose file does not tell."""

import json

from click.testing import CliRunner

from harness.cli.listings.reports import show_reports
from harness.cli.main import cli
from harness.reports import REPORTS


def test_the_list_says_what_the_classes_say(monkeypatch):
    expected = [
        {"report": one.name, "takes": list(one.takes), "question": one.question} for one in REPORTS.usable()
    ]
    monkeypatch.setattr(REPORTS, "find", lambda name: None)
    done = CliRunner().invoke(cli, ["report", "--json"])
    assert json.loads(done.stdout) == expected


def test_a_report_with_a_base_of_its_own_is_imported_and_a_broken_one_left_out(tmp_path, monkeypatch, capsys):
    head = "from harness.reports import Report, register\n\n\nclass Base(Report):\n    takes = ('run',)\n\n"
    body = "    @classmethod\n    def gather(cls, source, data):\n        pass\n\n\n@register\nclass Mine(Base):\n"
    (tmp_path / "mine.py").write_text(
        f'"""Mine."""\n{head}{body}    title = "Mine"\n    question = "Mine?"\n'
    )
    (tmp_path / "broken.py").write_text("class Bad(:")
    monkeypatch.setattr(REPORTS, "path", [*REPORTS.path, str(tmp_path)])
    monkeypatch.setattr(REPORTS, "_classes", dict(REPORTS._classes))
    monkeypatch.setattr("harness.reports.__path__", [*REPORTS.path])
    show_reports(True)
    found = {one["report"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["mine"] == {"report": "mine", "takes": ["run"], "question": "Mine?"}
    assert "broken" not in found
