"""A task from a table of items and their properties."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from racedyn._checks import as_path, check_name, fail
from racedyn.tasks.builders import from_arrays
from racedyn.tasks.task import Task

DELIMITERS = ",;\t|"
WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}


def from_csv(path: str | Path, *, inputs: Sequence[str] | None = None, delimiter: str | None = None) -> Task:
    """A task from a text file with a row per item and a column per property.

    The first row names the properties and the first column the items. Cells are numbers, yes/no or true/false; blank rows
    are passed over; the text is UTF-8. Targets (n_out, P) are the columns, inputs one-hot items I_P; or `inputs` names
    the columns that are inputs (n_in, P) instead, and the others are targets. `delimiter`: one character; whichever of
    comma, semicolon, tab and | parts the header into most names if left out.

    Raises `OSError` where the file can't be read and `ValueError` for what is no such table, with line, row and column.
    """
    path = as_path("path", path)
    lines = _read(path, delimiter)
    header = lines[0][1] if lines else []
    if len(header) < 2 or len(lines) < 2:
        _no_table(path, f"it has {max(len(lines) - 1, 0)} items and {max(len(header) - 1, 0)} properties",
                  "The first row names the properties, the first column the items. Is the delimiter right?")  # fmt: skip
    columns = header[1:]
    _check_names(path, "property", [(f"column {i + 2}", name) for i, name in enumerate(columns)])
    for line, cells in lines:
        if len(cells) != len(header):
            _no_table(path, f"line {line} has {len(cells)} cells and the header {len(header)}",
                      "A cell that holds the delimiter needs double quotes around it.")  # fmt: skip
    _check_names(path, "item", [(f"line {line}", cells[0]) for line, cells in lines[1:]])
    table = np.array(
        [
            [_number(path, cell, f"line {line}, row {cells[0]!r}, column {name!r}")
             for name, cell in zip(columns, cells[1:], strict=True)]
            for line, cells in lines[1:]
        ]
    ).T  # fmt: skip
    chosen = _chosen(inputs, columns)
    return from_arrays(
        np.eye(table.shape[1]) if inputs is None else table[chosen],
        np.delete(table, chosen, axis=0),
        name=path.stem,
        item_names=[cells[0] for _, cells in lines[1:]],
        feature_names=[name for i, name in enumerate(columns) if i not in chosen],
    )


def _read(path: Path, delimiter: str | None) -> list[tuple[int, list[str]]]:
    """(number of the line, its stripped cells) of every line that is not blank."""
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        fail("delimiter", "be one character and no quote", f"it is {delimiter!r}", "Leave it out to have it found.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:  # spreadsheets put a mark before the first name
            if delimiter is None:
                header = next((line for line in file if line.strip()), "")
                delimiter = max(DELIMITERS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [])))
                file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)  # or a quote after it is no quote
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        _no_table(path, f"it can't be read: {error}", "Save it as CSV in UTF-8.")
    return [(line, cells) for line, cells in lines if any(cells)]


def _number(path: Path, cell: str, place: str) -> float:
    try:
        value = WORDS[cell.lower()] if cell.lower() in WORDS else float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        _no_table(path, f"{place} is {cell!r}, which is no number" if cell else f"{place} is empty",
                  "Cells are numbers (with a decimal point), yes/no or true/false; fill what is missing first.")  # fmt: skip
    return value


def _check_names(path: Path, what: str, places: Sequence[tuple[str, str]]) -> None:
    """Refuse an empty name and one that comes twice, naming the places."""
    seen: dict[str, str] = {}
    for place, name in places:
        if not name:
            _no_table(path, f"the {what} in {place} has no name")
        if name in seen:
            _no_table(path, f"{what} {name!r} is there twice, in {seen[name]} and {place}", "Give each its own name.")
        seen[name] = place


def _chosen(inputs: Sequence[str] | None, columns: Sequence[str]) -> list[int]:
    """The indices of the columns that are inputs, in the order in which they were named."""
    if inputs is None:
        return []
    if isinstance(inputs, str):
        fail("inputs", "be a list of columns", f"it is the text {inputs!r}", f"inputs=[{inputs!r}]")
    chosen = [columns.index(check_name("inputs", name, columns)) for name in inputs]
    if not 0 < len(set(chosen)) == len(chosen) < len(columns):
        fail("inputs", f"name some of the {len(columns)} columns, each once, and leave others as targets",
             f"it is {list(inputs)}")  # fmt: skip
    return chosen


def _no_table(path: Path, but: str, remedy: str = "") -> NoReturn:
    fail("path", "be a table of items and properties", f"in {path} {but}", remedy)
