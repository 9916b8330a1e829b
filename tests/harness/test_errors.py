"""Messages for people: unknown names."""

from harness.errors import MOST_NAMED, unknown


def test_an_unknown_name_is_answered_with_the_nearest_and_a_list_that_stays_short():
    runs = [f"cskt-icfg-{number:04d}" for number in range(2_000)] * 2
    text = str(unknown("run", "cskt-icfg-19999", runs))
    assert text.startswith("Unknown run 'cskt-icfg-19999'. Did you mean 'cskt-icfg-1999'? Known: ")
    assert text.endswith(f" and {2_000 - MOST_NAMED:,} more.")
    assert len(text) < 600
    assert text.count("cskt-icfg-0003") == 1


def test_a_short_list_is_named_in_full():
    assert str(unknown("study", "x", ["b", "a"])) == "Unknown study 'x'. Known: a, b."
    assert str(unknown("study", "x", [])) == "Unknown study 'x'. Known: none."
