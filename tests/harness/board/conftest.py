from pathlib import Path

import pytest

from harness.board.site import build_board

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "board"


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The site of the example, built once."""
    out = tmp_path_factory.mktemp("board") / "site"
    return build_board(EXAMPLE, out), out
