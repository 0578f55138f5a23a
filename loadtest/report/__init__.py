"""The reports of a judged run: HTML, JSON, JUnit and Markdown, all from one result."""

from loadtest.report.files import write_all

__all__ = ["write_all"]
