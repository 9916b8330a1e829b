"""What a plug-in takes of the configuration: one import, and nothing heavy comes with it."""

import subprocess
import sys

import harness.config


def test_every_public_name_is_there_and_is_that_of_its_file():
    for name in harness.config.__all__:
        value = getattr(harness.config, name)
        assert value.__module__.startswith("harness.config.")
        assert getattr(sys.modules[value.__module__], name) is value


def test_it_imports_no_heavy_package():
    code = "import sys, harness.config; print({'torch', 'numpy', 'optuna', 'mlflow', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
