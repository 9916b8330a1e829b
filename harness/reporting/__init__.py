"""From tracked runs to a report: selection, tables, figures, notebook and page."""
