"""Tables as other programs write them: the same task, or a refusal that says what to do."""

import csv

import numpy as np
import pytest

from racedyn import config, tasks

PLAIN = "item,flies,legs\nwren,1,2\nrat,0,4\nbee,1,6\n"
LONG = "x" * 200_000


@pytest.fixture
def read(tmp_path):
    def read(text, encoding="utf-8", **options):
        (tmp_path / "mine.csv").write_bytes(text.encode(encoding))
        return tasks.from_csv(tmp_path / "mine.csv", **options)

    return read


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nitem;flies;legs\nwren;1;2\nrat;0;4\nbee;1;6\n",  # Excel
        '"sep=,"\r\n' + PLAIN,
        '"flies" "legs"\n"wren" 1 2\n"rat" 0 4\n"bee" 1 6\n',  # R's write.table
        "flies\tlegs\nwren\t1\t2\nrat\t0\t4\nbee\t1\t6\n",
        # a data frame, printed
        "item   flies  legs\nwren       1     2\nrat        0     4\n  bee        1     6  \n",
        "# made by hand, 2020\n#\n\n" + PLAIN,
        "item,flies,legs,\nwren,1,2,\nrat,0,4,\nbee,1,6,\n",
        "item,flies,legs,\nwren,1,2\nrat,0,4\nbee,1,6\n",
        PLAIN.replace(",", ";").replace("item", "item, of four, or, more, or, less"),
        PLAIN.replace("\n", "\r"),  # an old Mac
        PLAIN.replace("\n", "\r\n\r\n"),
        PLAIN.replace("legs", '"legs"').replace("item", '"item,\nby name"'),
        PLAIN.replace("item", LONG),
        "\ufeff" + PLAIN,
        PLAIN.replace("1", "1.0e0").replace(",0,", ",FALSE,"),
    ],
)
def test_as_other_programs_write_them(text, read):
    task = read(text)
    assert task.item_names == ("wren", "rat", "bee") and task.feature_names == ("flies", "legs")
    np.testing.assert_array_equal(task.Y, [[1, 0, 1], [2, 4, 6]])


def test_names_may_hold_anything(read):
    task = read('item;"legs, or\nwings";b,c\n"wren; small";1,;2\n'.replace("1,", "1"))
    assert task.feature_names == ("legs, or wings", "b,c") and task.item_names == ("wren; small",)
    before = csv.field_size_limit()
    assert read(f"item,a\n{LONG},1\n").item_names == (LONG,)
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    "first", ["wren,1,0\n", "wren,yes,no\n", "# a comment\nwren,1,0\n", "1,0\n"]
)
def test_a_first_row_of_numbers_is_asked_about(first, read):
    with pytest.raises(
        ValueError,
        match=r"all names of properties are numbers .*If the first row is an item, pass header=F",
    ):
        read(first + "rat,0,1\n" * (first != "1,0\n") + "0,1\n" * (first == "1,0\n"))


def test_with_or_without_a_header(read):
    years = read("animal,2019,2020\nwren,1,0\nrat,0,1\n", header=True)
    assert years.feature_names == ("2019", "2020") and years.item_names == ("wren", "rat")
    bare = read("wren,1,0\nrat,0,1\n", header=False)
    assert bare.feature_names == ("column 2", "column 3") and bare.item_names == ("wren", "rat")
    np.testing.assert_array_equal(bare.Y, [[1, 0], [0, 1]])
    assert read("wren,1,0\nrat,0,1\n", header=False, inputs=["column 3"]).X.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item;a,b\nx;1,2\n", r"',' and ';' both part all rows alike. Pass the one as delimiter="),
        (
            "item;a;b\nx;0,5;1,5\n",
            r"line 2, row 'x', column 'a' is '0,5', which is no number.*decimal point",
        ),
        ("item,a,b\nx,1,2,\n", r"all rows but the header end with a delimiter"),
        ("item,a\nx,1_000\n", r"row 'x', column 'a' is '1_000', which is no number"),
        ("item,a\nx,1e400\n", r"row 'x', column 'a' is '1e400', which is no number"),
        ("item,a\nx,NA\n", r"row 'x', column 'a' is 'NA', which is no number"),
        ("a b\nx 1 2\ny 1\n", r"line 2 has 3 cells and the header 2"),
        ('item,a\n"x,1\ny,0\n', r"it has 1 items|line 3 has 1 cells"),
        (PLAIN + "ant,1\n", r"line 5 has 2 cells and the header 3"),
    ],
)
def test_what_is_refused(text, message, read):
    with pytest.raises(
        ValueError, match=r"(?s)`path` must be a table of items and properties, but .*" + message
    ):
        read(text)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings_are_refused(encoding, read):
    with pytest.raises(ValueError, match="Save it as CSV in UTF-8"):
        read(PLAIN.replace("wren", "Zaunkönig"), encoding)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": 3}, r"`delimiter` must be one character and no quote, but it is 3"),
        ({"header": 0}, r"`header` must be True, False or left out, but it is 0"),
    ],
)
def test_bad_options(options, message, read):
    with pytest.raises(ValueError, match=message):
        read(PLAIN, **options)


def test_a_configuration_says_it_in_the_same_words():
    assert config.Csv(path="a.csv", header=False).header is False
