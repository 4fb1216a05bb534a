"""What a type checker says to users; `make check` runs the same."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_users_code_has_the_errors_that_it_should_have_and_no_others(tmp_path):
    """`typed_user.py` marks each error; mypy refuses a mark that is not needed, so that a type that
    grew to Any is seen.
    """
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    extra = (
        ROOT / "tests" / "typed_user.py"
    ).read_text() + "rd.simulate  # type: ignore[attr-defined]\n"
    (tmp_path / "typed_user.py").write_text(extra)
    found = subprocess.run(
        [*command, str(tmp_path / "typed_user.py")], cwd=ROOT, capture_output=True, text=True
    )
    assert 'Unused "type: ignore" comment' in found.stdout
