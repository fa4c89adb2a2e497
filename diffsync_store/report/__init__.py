"""A saved diff as one document: HTML for a mail or a browser, Markdown for a comment."""

from diffsync_store.report.html_report import html_report
from diffsync_store.report.markdown_report import markdown_report

__all__ = ["html_report", "markdown_report"]
