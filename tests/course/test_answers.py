"""The answers of a class are read from a table, and its marks are written into one."""

import csv
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgrid.cli.commands import main
from microgrid.course import worksheet
from microgrid.course.question import ExerciseError
from microgrid.course.worksheets.answers import read_answers, students

SHEET = worksheet(7, "forks", 2)
RIGHT = {f"{i}.{key}": x for i, blanks in SHEET.answers.items() for key, x in blanks.items()}


def written(path, rows, separator=",", encoding="utf-8", decimal="."):
    with open(path, "w", newline="", encoding=encoding) as file:
        out = csv.writer(file, delimiter=separator)
        out.writerow(["student", *RIGHT])
        for name, answers in rows.items():
            out.writerow([name, *[str(answers[key]).replace(".", decimal) for key in RIGHT]])
    return path


CLASS = {
    "Ada": {key: float(x) for key, x in RIGHT.items()},
    "Jürgen": dict.fromkeys(RIGHT, 0.25),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), (";", ","), ("\t", ","), (",", ",")]
)
def test_every_table_that_a_spreadsheet_writes_gives_the_same_marks(
    encoding, separator, decimal, tmp_path
):
    path = written(tmp_path / "answers.csv", CLASS, separator, encoding, decimal)
    marks, direct = SHEET.mark_all(path), SHEET.mark_all(CLASS)
    assert marks.rows == direct.rows == SHEET.mark_all(str(path)).rows
    assert marks.points == {"Ada": len(RIGHT), "Jürgen": 0}
    assert not marks.unclear


def test_json_is_read_as_well(tmp_path):
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(CLASS), encoding="utf-8")
    assert SHEET.mark_all(path).rows == SHEET.mark_all(CLASS).rows


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=8)


@given(st.dictionaries(cells.map(str.strip).filter(bool), st.tuples(cells, cells), max_size=4))
def test_each_row_is_a_student_whatever_the_cells_hold(table):
    lines = ["name;1.a;1.b", *[";".join(map(quoted, (name, *row))) for name, row in table.items()]]
    found = students("\n".join(lines))
    assert found == {name: dict(zip(("1.a", "1.b"), row)) for name, row in table.items()}


def quoted(cell):
    return '"' + cell.replace('"', '""') + '"'


def test_marks_are_written_as_numbers_that_other_programs_read(tmp_path):
    marks = SHEET.mark_all(CLASS)
    with open(marks.save(tmp_path / "marks.csv"), encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    total = len(RIGHT)
    assert rows == [
        {"student": "Ada", "right": f"{total}", "carried": "0", "total": f"{total}"},
        {
            "student": "Jürgen",
            "right": "0",
            "carried": str(marks.rows[1].carried),
            "total": f"{total}",
        },
    ]
    assert marks.rows[0].right == total


def test_a_column_that_no_blank_has_is_told(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text("student,1.a,1.zz\nAda,3,4\nBob,,\n", encoding="utf-8")
    ((told, who),) = SHEET.mark_all(path).unclear
    assert told.startswith("1.zz: is not part of this sheet: problem 1 asks for")
    assert "Ada" in who


REFUSED = {
    "": "no columns of answers",
    "student\nAda": "no columns of answers",
    "student,1.a,1.a\nAda,1,2": "2 columns '1.a'",
    "student,1.a\nAda,-19,0": "line 2 has 3 cells, the first line 2: a decimal comma",
    "student;1.a\nAda;1;2": "line 2 has 3 cells, the first line 2: one is too many",
    "student,1.a\n,3": "line 2 names no student",
    "student,1.a\nAda,3\n\nAda,4": "two students are called Ada",
    'student,1.a\n"Ada,3': "unexpected end",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_table_that_could_be_read_in_two_ways_is_refused(text, tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ExerciseError, match=rf"^answers\.csv: .*{REFUSED[text]}"):
        read_answers(path)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "a.txt: answers are read from .csv or .json"),
        ("a.json", "[1]", "a.json holds no students"),
        ("a.json", "{", "a.json: Expecting"),
    ],
)
def test_other_files_are_refused(name, text, said, tmp_path):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ExerciseError, match=said):
        SHEET.mark_all(tmp_path / name)


@pytest.mark.parametrize("kind", ["html", "tex"])
def test_the_command_marks_a_sheet_that_it_wrote(kind, tmp_path, capsys):
    sheet, answers, marks = (tmp_path / name for name in (f"s.{kind}", "a.csv", "marks.csv"))
    assert main(["worksheet", "--seed", "7", "--kind", "forks", "-n", "2", "-o", str(sheet)]) == 0
    written(answers, CLASS)
    assert main(["mark", str(sheet), str(answers), "-o", str(marks)]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"wrote {marks}\n")
    assert str(SHEET.mark_all(CLASS)) in said
    assert marks.read_text(encoding="utf-8-sig") == SHEET.mark_all(CLASS).csv()


def test_the_command_refuses_what_is_no_sheet_and_other_suffixes(tmp_path, capsys):
    answers = written(tmp_path / "a.csv", CLASS)
    sheet = SHEET.save(tmp_path / "s.html")
    for given_, said in (
        ([answers, sheet], "no sheet"),
        ([sheet, sheet], "one file"),
        ([sheet, answers, "-o", tmp_path / "m.pdf"], "saved as .csv"),
        ([sheet, answers, "-o", answers], "one file"),
    ):
        assert main(["mark", *map(str, given_)]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "m.pdf").exists()
