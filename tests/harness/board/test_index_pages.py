"""The pages that lead to others name every protocol, method, run and bundle."""


def test_the_index_leads_to_protocols_and_methods(built):
    text = (built[1] / "index.html").read_text(encoding="utf-8")
    for name in ("protocol/icfg-twin-tiny.html", "protocol/icfg-to-cuhk-twin-tiny.html", "method/cskt.html"):
        assert f'href="{name}"' in text
    assert text.count('href="run/') == 6


def test_about_names_each_bundle_with_its_checks(built):
    text = (built[1] / "about.html").read_text(encoding="utf-8")
    assert text.count('class="hash"') == 2
    assert "tiny-field.zip" in text
    assert "Figures of papers are claims" in text
