"""A task from a table of items and their properties, and those that are shipped."""

import csv
import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from racedyn._checks import as_path, check_name, fail
from racedyn._text import listed
from racedyn.tasks.builders import from_arrays
from racedyn.tasks.task import Task

DELIMITERS = ",;\t|"
EXAMPLES = Path(__file__).with_name("examples")
WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}

Lines = list[tuple[int, list[str]]]  # (number of the line, its cells)
_LIMIT = threading.Lock()  # csv's limit on the length of a field is one for the whole process


def from_csv(
    path: str | Path,
    *,
    inputs: Sequence[str] | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
) -> Task:
    """A task from a text file with a row per item and a column per property.

    The first row names the properties and the first column the items; the first row may be one cell
    shorter, as R's `write.table` has it. Cells are numbers, yes/no or true/false; the text is
    UTF-8. Passed over are blank rows, rows above the names that begin with #, a delimiter at the
    end of every row, and a first row `sep=;`, which says the delimiter. Targets (n_out, P) are the
    columns, inputs one-hot items I_P; or `inputs` names the columns that are inputs (n_in, P)
    instead, and the others are targets.

    - `delimiter`: one character; if left out whichever of comma, semicolon, tab and | parts all
      rows into equally many cells, or else runs of spaces.
    - `header`: whether the first row names the properties. If left out it does, and names that are
      all numbers are refused: they may be a first item. If False the properties are "column 2", ...

    Raises `OSError` where the file can't be read and `ValueError` for what is no such table, with
    line, row and column.

        >>> rows = ["item,flies,swims", "robin,yes,no", "salmon,no,yes"]
        >>> np.savetxt("animals.csv", rows, fmt="%s")
        >>> task = rd.tasks.from_csv("animals.csv")
        >>> task.item_names, task.feature_names, task.Y.tolist()
        (('robin', 'salmon'), ('flies', 'swims'), [[1.0, 0.0], [0.0, 1.0]])
    """
    path = as_path("path", path)
    if delimiter is not None and (
        not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n'
    ):
        fail(
            "delimiter",
            "be one character and no quote",
            f"it is {delimiter!r}",
            "Leave it out to have it found.",
        )
    if header is not None and not isinstance(header, bool):
        fail("header", "be True, False or left out", f"it is {header!r}")
    text = _text(path)
    table = _found(path, text, delimiter, header is not False)
    columns = (
        table.names
        if header is not False
        else [f"column {i + 2}" for i in range(len(table.rows[0][1]) - 1)]
    )
    if header is None and all(_is_number(name) for name in columns):
        _no_table(
            path,
            "all names of properties are numbers "
            f"({', '.join(columns[:4])}{', ...' * (len(columns) > 4)})",
            "If the first row is an item, pass header=False; if it does name the properties, "
            "header=True."
            + " Rows above it that begin with # were passed over."
            * text.lstrip().startswith("#"),
        )
    _check_names(path, "property", [(f"column {i + 2}", name) for i, name in enumerate(columns)])
    _check_names(path, "item", [(f"line {line}", cells[0]) for line, cells in table.rows])
    values = np.array(
        [
            [
                _number(path, cell, f"line {line}, row {cells[0]!r}, column {name!r}")
                for name, cell in zip(columns, cells[1:], strict=True)
            ]
            for line, cells in table.rows
        ]
    ).T
    chosen = _chosen(inputs, columns)
    return from_arrays(
        np.eye(values.shape[1]) if inputs is None else values[chosen],
        np.delete(values, chosen, axis=0),
        name=path.stem,
        item_names=[cells[0] for _, cells in table.rows],
        feature_names=[name for i, name in enumerate(columns) if i not in chosen],
    )


def example(name: str) -> Task:
    """A table that comes with the package, as `from_csv` reads it: one-hot items (P, P) in,
    properties (n_out, P), each 0 or 1, out.

    | name | items | properties | structure |
    |---|---|---|---|
    | "animals" | 16 | 24 | a tree, nearly, with properties across it: what flies, swims, hunts |
    | "living_things" | 8 | 30 | a tree, exactly: every property is that of one branch |
    | "months" | 12 | 18 | a ring: every property is that of a season |
    | "vehicles" | 9 | 16 | two divisions that cut across each other: where, and driven by what |

    Raises `ValueError` for another name.

        >>> task = rd.tasks.example("animals")
        >>> print(task)
        animals: 16 examples, input 16, output 24
        >>> task.item_names[:3], task.feature_names[:3]
        (('eagle', 'duck', 'penguin'), ('is an animal', 'backbone', 'bones'))
    """
    check_name("name", name, sorted(table.stem for table in EXAMPLES.glob("*.csv")))
    return from_csv(EXAMPLES / f"{name}.csv")


class _Table(NamedTuple):
    """`names` of the properties (none without a header) and the items' rows; `problem`: why it is
    no table, or empty.
    """

    names: list[str]
    rows: Lines
    problem: str
    remedy: str = ""

    @property
    def width(self) -> int:
        return len(self.rows[0][1]) if self.rows else 0

    @property
    def is_numbers(self) -> bool:
        return all(_is_number(cell) for _, cells in self.rows for cell in cells[1:])


def _text(path: Path) -> str:
    if not path.is_file():
        fail("path", "be a file", f"there is none at {str(path)!r}", "", FileNotFoundError)
    try:
        return path.read_bytes().decode(
            "utf-8-sig"
        )  # spreadsheets put a mark before the first name
    except UnicodeDecodeError as error:
        _no_table(path, f"it can't be read: {error}", "Save it as CSV in UTF-8.")


def _found(path: Path, text: str, delimiter: str | None, header: bool) -> _Table:
    """The table, by the delimiter that is given, said in the first row, or found."""
    said = re.match(r'\s*"?sep=(.)"?[ \t]*(?:\r\n?|\n|$)', text)
    if delimiter is not None or said:
        table = _table(_lines(path, text, delimiter or said[1]), header)  # type: ignore[index]
    else:
        tables = {mark: _table(_lines(path, text, mark), header) for mark in DELIMITERS}
        sound = {mark: table for mark, table in tables.items() if not table.problem}
        if not sound:
            spaced = _table(_lines(path, text, " "), header)
            first = max(tables.values(), key=lambda table: (len(table.names), table.width))
            if not spaced.problem:
                return spaced
            _refused(path, first if first.names or first.width > 1 else spaced)
        table = max(sound.values(), key=lambda table: (table.width, table.is_numbers))
        numbers = [mark for mark, one in sound.items() if one.is_numbers]
        if numbers and (
            len(numbers) > 1
            or sound[numbers[0]].width
            <= max((one.width for mark, one in sound.items() if mark != numbers[0]), default=0)
        ):
            _no_table(
                path,
                f"{' and '.join(map(repr, sound))} both part all rows alike",
                "Pass the one as delimiter=.",
            )
    return _refused(path, table) if table.problem else table


def _refused(path: Path, table: _Table) -> NoReturn:
    _no_table(path, table.problem, table.remedy)


def _lines(path: Path, text: str, delimiter: str) -> Lines:
    """Stripped cells of every line that is not blank, from the header on."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True
    )  # or a quote after it
    try:
        with _fields_of(len(text)):
            lines = [(reader.line_num, [_one_line(cell) for cell in cells]) for cells in reader]
    except csv.Error as error:
        _no_table(path, f"it can't be read: {error}", "Save it as CSV in UTF-8.")
    if delimiter == " ":  # runs of them: those around a line are not between cells
        lines = [
            (line, cells[cells[:1] == [""] : len(cells) - (cells[-1:] == [""])])
            for line, cells in lines
        ]
    lines = [(line, cells) for line, cells in lines if any(cells)]
    above = 0
    while above < len(lines) and (
        lines[above][1][0].startswith("#")
        or (above == 0 and re.fullmatch("sep=.?", lines[0][1][0]))
    ):
        above += 1
    return lines[above:]


@contextmanager
def _fields_of(size: int) -> Iterator[None]:
    """Let csv read fields of `size` characters, as names or comments may have."""
    with _LIMIT:
        before = csv.field_size_limit()
        csv.field_size_limit(max(before, size))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _one_line(cell: str) -> str:
    return re.sub(r"\s*[\r\n]+\s*", " ", cell.strip())


def _table(lines: Lines, header: bool) -> _Table:
    """Names and rows of equal length; what stands in the way is its `problem`."""
    rows = lines[1:] if header else lines
    names = list(lines[0][1]) if header and lines else []
    first = names or (rows[0][1] if rows else [])
    if (
        len(first) > 1
        and not first[-1]
        and all(not cells[-1] or len(cells) == len(first) - 1 for _, cells in rows)
    ):
        size = len(first) - 1  # a delimiter at the end of every row, or of the header
        names, rows = names[:size], [(line, cells[:size]) for line, cells in rows]
    if names and rows and all(len(cells) == len(names) + 1 for _, cells in rows):
        if all(not cells[-1] for _, cells in rows):
            return _Table(
                names, rows, "all rows but the header end with a delimiter", "Take it away there."
            )
        names = ["", *names]  # R's: the column of row names has none
    width = len(names) if header else len(rows[0][1]) if rows else 0
    if width < 2 or not rows:
        return _Table(
            names[1:],
            rows,
            f"it has {len(rows)} items and {max(width - 1, 0)} properties",
            "The first row names the properties, the first column the items. Is the delimiter "
            "right?",
        )
    for line, cells in rows:
        if len(cells) != width:
            than = f"the {'header' if header else 'first row'} {width}"
            problem = f"line {line} has {len(cells)} cells and {than}"
            return _Table(
                names[1:],
                rows,
                problem,
                "A cell that holds the delimiter needs double quotes around it.",
            )
    return _Table(names[1:], rows, "")


def _is_number(cell: str) -> bool:
    return np.isfinite(_value(cell))


def _value(cell: str) -> float:
    """The number in a cell, or NaN."""
    try:
        return (
            WORDS[cell.lower()] if cell.lower() in WORDS else float(cell if "_" not in cell else "")
        )
    except ValueError:
        return np.nan


def _number(path: Path, cell: str, place: str) -> float:
    value = _value(cell)
    if not np.isfinite(value):
        _no_table(
            path,
            f"{place} is {cell!r}, which is no number" if cell else f"{place} is empty",
            "Cells are numbers (with a decimal point), yes/no or true/false; fill what is missing "
            "first.",
        )
    return value


def _check_names(path: Path, what: str, places: Sequence[tuple[str, str]]) -> None:
    """Refuse an empty name and one that comes twice, naming the places."""
    seen: dict[str, str] = {}
    for place, name in places:
        if not name:
            _no_table(path, f"the {what} in {place} has no name")
        if name in seen:
            _no_table(
                path,
                f"{what} {name!r} is there twice, in {seen[name]} and {place}",
                "Give each its own name.",
            )
        seen[name] = place


def _chosen(inputs: Sequence[str] | None, columns: Sequence[str]) -> list[int]:
    """The indices of the columns that are inputs, in the order in which they were named."""
    if inputs is None:
        return []
    if isinstance(inputs, str):
        fail("inputs", "be a list of columns", f"it is the text {inputs!r}", f"inputs=[{inputs!r}]")
    chosen = [columns.index(check_name("inputs", name, columns)) for name in inputs]
    if not 0 < len(set(chosen)) == len(chosen) < len(columns):
        fail(
            "inputs",
            f"name some of the {len(columns)} columns, each once, and leave others as targets",
            f"it is {listed(inputs)}",
        )
    return chosen


def _no_table(path: Path, but: str, remedy: str = "") -> NoReturn:
    fail("path", "be a table of items and properties", f"in {path} {but}", remedy)
