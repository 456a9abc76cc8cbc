import subprocess
import sys
import unicodedata

import pytest

from shinso import lessons
from shinso.faults import UsageFault
from shinso.language import Text
from shinso.lessons import bptt
from shinso.lessons.lesson import Lesson, LessonStep, Question


def columns(line):
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line)


@pytest.fixture(params=["en", "ja"])
def language(request, monkeypatch):
    monkeypatch.setenv("SHINSO_LANG", request.param)
    return request.param


def one_step(value, shape, **parts):
    note = Text(en="a note", ja="注")
    step = LessonStep(
        phase="forward",
        time=1,
        name="u_1",
        formula="u_1 = W x_1",
        shape=shape,
        value=value,
        note=note,
        **parts,
    )
    text = Text(en="t", ja="題")
    return Lesson(
        name="t", title=text, introduction=text, steps=(step,), questions=(), largest_difference=0.0
    )


def test_text_of_a_step_golden():
    lesson = one_step([[0.5, -12.25], [0.0, 1e-7]], (2, 2), autograd=[[0.0]], difference=3e-17)
    assert lessons.render_text(lesson, 40).splitlines() == [
        "t",
        "=",
        "t",
        "",
        "Forward, step 1",
        "---------------",
        "  u_1 = W x_1                      (2×2)",
        "        0.500000  -12.250000",
        "               0   1.000e-07",
        "      autograd: differs by 3.0e-17",
        "      a note",
        "",
        "Quantities checked: 1. Largest",
        "difference to autograd: 0.0e+00.",
    ]


def test_a_scalar_and_a_long_vector_fit_the_width():
    scalar = lessons.render_text(one_step(0.25, ()), 40)
    assert "(1)\n      0.250000\n" in scalar
    long = lessons.render_text(one_step([0.125] * 20, (20,)), 40)
    assert long.count("0.125000") == 20
    assert max(map(columns, long.splitlines())) <= 40


@pytest.mark.parametrize("cell", bptt.CELLS)
def test_every_formula_stands_whole_and_other_lines_fit(cell, language):
    lesson = bptt.teach(bptt.Config(cell=cell, hidden=5, steps=2))
    formulas = [step.formula for step in lesson.steps]
    for width in range(50, 90):
        text = lessons.render_text(lesson, width)
        lines = text.splitlines()[2:]  # the title is not broken either
        for formula in formulas:
            assert f"  {formula}" in text
        for line in lines:
            assert columns(line) <= width or line.strip() in formulas
        for step in lesson.steps:
            assert f" ({'×'.join(map(str, step.shape)) or '1'})\n" in text


def test_a_note_is_said_once(language):
    lesson = bptt.teach(bptt.Config(cell="rnn", steps=3))
    text = "".join(lessons.render_text(lesson, 1000).split())
    for note in {str(step.note) for step in lesson.steps}:
        assert text.count("".join(note.split())) == 1


@pytest.mark.parametrize("cell", bptt.CELLS)
def test_wrapped_text_loses_no_sign_and_starts_no_line_with_a_stop(cell, language):
    lesson = bptt.teach(bptt.Config(cell=cell))
    for width in range(40, 100):
        text = lessons.render_quiz(lesson, width)
        for line in text.splitlines():
            assert columns(line) <= width
            assert not line.strip().startswith(tuple("、。，．）"))
        squeezed = "".join(text.split())
        for question in lesson.questions:
            for part in (question.question, question.reason, *question.answers):
                assert "".join(str(part).split()) in squeezed


def test_quiz_asks_all_before_it_answers():
    text = Text(en="Why?", ja="なぜ")
    answers = (Text(en="so", ja="甲"), Text(en="thus", ja="乙"))
    question = Question(
        question=text, answers=answers, correct=1, reason=Text(en="It is.", ja="丙")
    )
    lesson = one_step(1.0, ())
    object.__setattr__(lesson, "questions", (question, question))
    assert lessons.render_quiz(lesson).splitlines() == [
        "Questions",
        "---------",
        "1. Why?",
        "   a) so",
        "   b) thus",
        "2. Why?",
        "   a) so",
        "   b) thus",
        "",
        "Answers",
        "-------",
        "1. b) It is.",
        "2. b) It is.",
    ]


def test_a_question_needs_its_right_answer_among_the_answers():
    text = Text(en="a", ja="あ")
    with pytest.raises(ValueError, match="correct is 2; give an index below 2"):
        Question(question=text, answers=(text, text), correct=2, reason=text)
    with pytest.raises(ValueError, match="answers has 1 entries"):
        Question(question=text, answers=(text,), correct=0, reason=text)


def test_names_are_the_modules_that_set_one():
    assert lessons.names() == ["bptt"]
    assert lessons.load("bptt") is bptt


def test_unknown_lesson_names_the_known_ones():
    with pytest.raises(UsageFault, match="bptt"):
        lessons.load("nothing")


def test_listing_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from shinso import lessons; lessons.names(); "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
