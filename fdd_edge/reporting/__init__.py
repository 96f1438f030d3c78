"""One page about a run: facts are gathered, put into sections, and written as HTML or Markdown."""

from fdd_edge.reporting.report_file import FORMATS, ReportFormat, ReportResult, write_report

__all__ = ["FORMATS", "ReportFormat", "ReportResult", "write_report"]
