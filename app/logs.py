"""One canonical JSON line per request, and one per event worth a line."""

from __future__ import annotations

import logging
import os
import time

import msgspec

logger = logging.getLogger("app")


class JsonFormatter(logging.Formatter):
    """The record's message and its `fields` as one JSON object; a traceback goes along, into the log only."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname,
            "event": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class Stdout(logging.Handler):
    """One write a line, which the kernel keeps whole: request threads need not queue for a lock to log."""

    def createLock(self) -> None:  # noqa: N802  # logging's own name
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(1, self.format(record).encode() + b"\n")
        except Exception:  # noqa: BLE001  # logging never breaks what it tells about
            self.handleError(record)


def configure(level: str) -> None:
    """Send everything to standard output as JSON lines."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # no line names them
    handler = Stdout()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level="WARNING", force=True)
    logger.setLevel(level)


def event(level: int, words: str, *, exc_info: BaseException | None = None, **fields: object) -> None:
    """Log one line with fields; where in the code it came from is not looked up, for nobody asks."""
    if logger.isEnabledFor(level):
        trace = (type(exc_info), exc_info, exc_info.__traceback__) if exc_info else None
        record = logging.LogRecord(logger.name, level, "", 0, words, (), trace)
        record.fields = fields
        logger.handle(record)
