"""Log records as lines of JSON."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import orjson


class JSONLines(logging.Formatter):
    """One object per record: time, level, logger, and the fields of the access log or else the message."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
        }
        facts |= dict(record.args) if isinstance(record.args, dict) else {"message": record.getMessage()}
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(facts, default=str).decode()
