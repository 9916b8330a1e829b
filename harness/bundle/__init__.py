"""Runs in one zip file that others can check and put beside their own: export, verify, import."""

from harness.bundle.export import export_runs
from harness.bundle.put_beside import import_bundle
from harness.bundle.verify import verify_bundle

__all__ = ["export_runs", "import_bundle", "verify_bundle"]
