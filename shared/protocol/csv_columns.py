"""Assigns the cells of CSV rows to the columns that the first line names, also where a spreadsheet wrote the file."""

from __future__ import annotations

from collections.abc import Sequence

# The name of the format in the list from which spreadsheets let one choose.
SAVE_AS = "save it as CSV UTF-8 (comma delimited)"
SEPARATORS = {";": "semicolons", "\t": "tabs"}
# How other files begin that spreadsheets save, or read as CSV.
OTHER_FORMATS = {"PK\x03\x04": "is a workbook", "<": "is a page of HTML or XML"}
FOR_SPREADSHEETS = ["sep="]


class CsvColumnsFault(Exception):
    """Raised for a first line without column names, or a row that does not fit it.

    The text follows the words "the file" or "row 3" in an error message.
    """


class CsvColumns:
    """The columns of a CSV text. Those without a name are left out, provided that their cells are empty."""

    def __init__(self, first_line: Sequence[str]) -> None:
        """Read the names out of the cells of the first line, without the blanks around them.

        :raises CsvColumnsFault: when no column has a name, a name is repeated, or the columns are not separated by
            commas.
        """
        stripped = [name.strip() for name in first_line]
        self._places = [place for place, name in enumerate(stripped) if name]
        self.names = [stripped[place] for place in self._places]
        if not self.names:
            raise CsvColumnsFault("has no column names in its first line")
        for beginning, described in OTHER_FORMATS.items():
            if self.names[0].startswith(beginning):
                raise CsvColumnsFault(f"{described}; {SAVE_AS}")
        if self.names == FOR_SPREADSHEETS:
            raise CsvColumnsFault(f"has no column names but sep=,; {SAVE_AS}")
        # Text in UTF-16 has NUL in every name.
        if any("\x00" in name for name in self.names):
            raise CsvColumnsFault(f"is not UTF-8 text; {SAVE_AS}")
        for separator, described in SEPARATORS.items():
            if any(separator in name for name in self.names):
                raise CsvColumnsFault(
                    f"has columns that are separated by {described}; {SAVE_AS}"
                )
        if len(set(self.names)) != len(self.names):
            raise CsvColumnsFault("has a column name that is repeated")
        self._width = self._places[-1] + 1
        self._named = frozenset(self._places)

    def cells(self, row: Sequence[str]) -> list[str]:
        """Return the cells of a row, one for each name.

        :raises CsvColumnsFault: when cells are missing, or a cell without a name is not empty.
        """
        if len(row) == self._width == len(self._places):
            return list(row)
        surplus = [
            place for place, cell in enumerate(row) if cell and place not in self._named
        ]
        if len(row) < self._width or (surplus and surplus[-1] >= self._width):
            raise CsvColumnsFault(f"has {len(row)} cells; the header has {self._width}")
        if surplus:
            raise CsvColumnsFault(
                f"has a value in column {surplus[0] + 1}, which has no name"
            )
        return [row[place] for place in self._places]

    def present_cells(self, row: Sequence[str]) -> list[str]:
        """Return a cell for each name of a row that may be too short or too long; missing cells are empty."""
        return [row[place] if place < len(row) else "" for place in self._places]


def is_blank(row: Sequence[str]) -> bool:
    """Return whether a row has commas only: spreadsheets write such rows for emptied cells."""
    return not any(row)
