"""One name, and what follows from it: the distribution, the module, the class."""

from __future__ import annotations

import re
from typing import Final

from chroma_plugin.errors import InvalidArgumentError, UniqueConstraintError, UnknownPluginError
from chroma_plugin.frozen import frozen
from chroma_plugin.plugins import default_manager
from chroma_plugin.wording import shown

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 40


@frozen
class Names:
    """Of a backend that people choose as ``chroma_db_impl=name``."""

    name: str

    @property
    def distribution(self) -> str:
        return f"chroma-plugin-{self.name}"

    @property
    def module(self) -> str:
        return self.distribution.replace("-", "_")

    @property
    def class_name(self) -> str:
        return "".join(part.capitalize() for part in self.name.split("-"))


def checked(name: str) -> Names:
    """Raises InvalidArgumentError for what can't be all of these, UniqueConstraintError for a name that is taken."""
    if len(name) > _LONGEST or not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"{shown(name)} is no name for a backend: it begins with a letter and has a-z, 0-9 and single '-' between "
            f"them, {_LONGEST} characters at most, as in 'my-engine'."
        )
    try:
        taken = default_manager().backend(name)
    except UnknownPluginError:
        return Names(name)
    raise UniqueConstraintError(f"There is a backend {name!r} already ({taken.open}); choose another name.")
