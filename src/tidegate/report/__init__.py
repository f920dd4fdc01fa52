"""A run as one self-contained HTML page: what happened, on which data, how good the model is, and why it is blessed."""

from tidegate.report.page import write_report

__all__ = ["write_report"]
