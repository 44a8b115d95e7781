"""Log records as text and as lines of JSON: what strangers have a say in begins no line and moves no terminal."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from chroma_plugin.wording import visible


class Lines(logging.Formatter):
    """Text; what follows a line break, as in a traceback, is indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record)).replace("\n", "\n    ")


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
        return json.dumps(facts, default=str)  # ASCII; orjson lets through what a terminal obeys, and half characters
