"""A run as ONE self-contained HTML page: what happened, on which data, how good the model is, and why it was blessed."""

from tidegate.report.page import write_report

__all__ = ["write_report"]
