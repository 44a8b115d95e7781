"""Bars on standard error, where it is a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from chroma_plugin.cli.output import errors


def bars() -> Progress:
    """None yet; they go when all is done."""
    console = errors()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def shown_in(bars: Progress) -> Callable[[str, int, int], None]:
    """To be called with what is done, how much of it, and how much there is: a bar for each."""
    tasks: dict[str, TaskID] = {}

    def show(name: str, done: int, count: int) -> None:
        if name not in tasks:
            # Brackets in a name are no markup.
            tasks[name] = bars.add_task(name.replace("[", r"\["), total=count)
        bars.update(tasks[name], completed=done, total=count)

    return show
