"""What something costs, in few signs: counts, operations, memory and time; a dash where it is not known."""

from harness.pages.tables import DASH

Value = float | None


def share_text(part: Value, whole: Value) -> str:
    """Return a part of a whole in percent.

    >>> share_text(12.0, 160.0), share_text(1.0, None)
    ('7.50 %', '–')
    """
    if part is None or whole is None or part != part or not whole > 0:
        return DASH
    return f"{100 * part / whole:.2f} %"


def millions_text(value: Value) -> str:
    """Return a count in millions.

    >>> millions_text(2.5e9), millions_text(None)
    ('2,500 M', '–')
    """
    return DASH if _missing(value) else f"{_known(value) / 1e6:,.0f} M"


def memory_text(n_bytes: Value) -> str:
    """Return bytes in MB.

    >>> memory_text(2e9), memory_text(1.23e6)
    ('2,000 MB', '1.2 MB')
    """
    if _missing(n_bytes):
        return DASH
    value = _known(n_bytes)
    return f"{value / 1e6:,.0f} MB" if value >= 1e7 else f"{value / 1e6:.2g} MB"


def milliseconds_text(seconds: Value) -> str:
    """Return seconds in milliseconds.

    >>> milliseconds_text(0.00234), milliseconds_text(1.0712), milliseconds_text(None)
    ('2.34 ms', '1,071 ms', '–')
    """
    if _missing(seconds):
        return DASH
    value = _known(seconds)
    return f"{1e3 * value:,.0f} ms" if value >= 0.1 else f"{1e3 * value:.3g} ms"


def seconds_text(seconds: Value) -> str:
    """Return whole seconds.

    >>> seconds_text(70.2)
    '70 s'
    """
    return DASH if _missing(seconds) else f"{_known(seconds):,.0f} s"


def points_text(value: Value) -> str:
    """Return a difference in percentage points, with its sign.

    >>> points_text(-6.04), points_text(float("nan"))
    ('−6.0', '–')
    """
    return DASH if _missing(value) else f"{_known(value):+.1f}".replace("-", "−")


def _missing(value: Value) -> bool:
    return value is None or value != value


def _known(value: Value) -> float:
    assert value is not None
    return value
