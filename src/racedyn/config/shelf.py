"""Where the configurations lie that come with the package, and a file of them by its name alone."""

from pathlib import Path

from racedyn._text import printable

FOLDER = Path(__file__).with_name("examples")


def names() -> list[str]:
    """Those of the configurations that come with the package."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def located(path: Path) -> Path:
    """The file, or where there is none of this name the configuration that comes with the package.

    Raises `FileNotFoundError` where there is neither."""
    if path.exists():
        return path
    if str(path) in names():
        return FOLDER / f"{path}.toml"
    raise FileNotFoundError(
        f"There is no file {printable(repr(str(path)))}, and the configurations that come with "
        f"racedyn are {', '.join(names())}. `racedyn new` writes one to be changed."
    )
