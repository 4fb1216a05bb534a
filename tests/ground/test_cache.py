"""Compiled programs on disk: kept where it is asked for, in processes of their own."""

import os
import subprocess
import sys

import jax
import pytest

CODE = """
import racedyn as rd
where = rd.use_cache()
import equinox, jax
jax.config.update("jax_enable_x64", True)
read = []
jax.monitoring.register_event_listener(lambda name, **_: read.append(name))
run = rd.simulate(rd.from_function(lambda t, y, args: -y, y0=1.0), [0.0, 1.0])
hits, misses = (read.count(f"/jax/compilation_cache/cache_{what}") for what in ("hits", "misses"))
print(where, hits, misses, float(run["y"][-1]).hex())
"""


def python(code, cwd, **environment):
    kept = {name: value for name, value in os.environ.items() if name != "EQX_ON_ERROR"}
    command = [sys.executable, "-W", "default", "-c", code]
    done = subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


@pytest.mark.slow
def test_the_next_process_compiles_nothing_and_a_broken_entry_anew(tmp_path):
    kept = {"RACEDYN_CACHE": str(tmp_path / "programs")}
    (where, hits, misses, first), told = python(CODE, tmp_path, **kept)
    assert where.startswith(kept["RACEDYN_CACHE"]) and int(hits) == 0 < int(misses)
    assert "UserWarning" not in told and "RuntimeWarning" not in told
    # The solve is among them, which it is not where its checks call Python.
    assert any((tmp_path / "programs").rglob("*integrate*-cache"))
    (_, hits, again, second), _ = python(CODE, tmp_path, **kept)
    assert (int(again), second) == (0, first) and int(hits) == int(misses)
    largest = max((tmp_path / "programs").rglob("*-cache"), key=lambda file: file.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:100])
    (*_, third), told = python(CODE, tmp_path, **kept)
    assert third == first and "compilation cache" in told


ASKED = """
import racedyn as rd
{before}
print(rd.use_cache({path!r}))
import jax
print(jax.config.jax_compilation_cache_dir)
"""


def test_where_it_is(tmp_path):
    def folders(path=None, before="", **environment):
        asked = {"RACEDYN_CACHE": "", "XDG_CACHE_HOME": str(tmp_path / "home"), **environment}
        return python(ASKED.format(path=path, before=before), tmp_path, **asked)

    (said, jaxs), told = folders()
    assert said == jaxs and said.startswith(str(tmp_path / "home" / "racedyn" / "jaxlib-"))
    assert "equinox" not in told
    (said, jaxs), _ = folders(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"))
    assert said == jaxs == str(tmp_path / "theirs")
    (said, jaxs), _ = folders(RACEDYN_CACHE="off")
    assert (said, jaxs) == ("None", "None")
    (said, _), told = folders(str(tmp_path / "mine"), "import equinox")
    assert said.startswith(str(tmp_path / "mine")) and "equinox was imported before" in told


def test_a_path_that_can_be_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    code = f"import racedyn as rd\ntry: rd.use_cache({str(tmp_path / 'file')!r})\n"
    said, _ = python(code + "except ValueError as error: print(error)", tmp_path)
    assert " ".join(said).startswith("Compiled programs can't be kept in")


@pytest.fixture(autouse=True)
def no_programs_of_tests():
    """What tests share of compiled programs lies where JAX is told to look, and so would ours."""
    of_tests = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", of_tests)


def test_the_command_line_shows_and_empties_it(tmp_path):
    from racedyn import _cache
    from racedyn.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RACEDYN_CACHE", str(tmp_path))
        where = _cache.folder()
        where.mkdir()
        (where / "jit_f-12-cache").write_bytes(b"1234")
        (where / "notes.txt").write_text("mine")
        assert str(_cache.kept()) == "1 programs, 0.0 MB"
        assert main(["cache"]) == 0 and main(["cache", "clear"]) == 0
        assert [file.name for file in where.iterdir()] == ["notes.txt"]
        patch.setenv("RACEDYN_CACHE", str(where / "notes.txt"))
        assert "nothing can be kept there: Not a directory" in str(_cache.kept())
        assert main(["cache"]) == 0
        patch.setenv("RACEDYN_CACHE", "off")
        assert _cache.kept() is None and main(["cache"]) == 0
