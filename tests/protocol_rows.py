"""Results as a report has them, under the usual protocol and under others."""


def result(fake, method="cskt", r1=40.0, tested_on="icfg", trained_on="icfg", data=None, **changes):
    """Return a result; `data` are settings of its dataset."""
    config = {"method.name": method, "method.lr": "0.1", "dataset.name": trained_on.partition("+")[0]}
    config |= {f"dataset.{name}": str(value) for name, value in (data or {}).items()}
    own = {
        "config": config,
        "condition": f"{method} {trained_on} {sorted(config.items())}",
        "in_domain": tested_on.partition("-")[0] in trained_on,
        "test_fingerprint": "data-of-icfg",
        "pictures": "test-of-icfg",
        "gallery": "pictures reduced to 1/4" if "-low" in tested_on else "no",
        "noise": "20 % moved, seed 0" if "noise" in (data or {}) else "no",
        "several": trained_on if "+" in trained_on else "no",
    }
    return fake.row(method, trained_on, tested_on, r1=r1, **(own | changes))
