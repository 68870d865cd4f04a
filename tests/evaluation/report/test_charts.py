from itertools import pairwise

from lexel.evaluation.report.charts import HEIGHT, NAME_HEIGHT, WIDTH, draw_chart
from lexel.evaluation.report.sections import Chart, Line


def chart(*lines: Line, **fields) -> Chart:
    return Chart(title="t", explanation="", x_label="x", y_label="y", lines=list(lines), **fields)


def test_points_lie_where_their_values_are():
    view = draw_chart(chart(Line(name="a", x=[0, 5, 10], y=[0, 50, 100])))
    assert view.lines[0].marks == [(0, HEIGHT), (WIDTH / 2, HEIGHT / 2), (WIDTH, 0)]
    assert [tick.text for tick in view.y_ticks] == ["0", "20", "40", "60", "80", "100"]


def test_a_logarithmic_axis_has_equal_steps_for_doublings():
    view = draw_chart(chart(Line(name="a", x=[1, 2, 4], y=[1, 1, 1]), log_x=True))
    assert [x for x, _ in view.lines[0].marks] == [0, WIDTH / 2, WIDTH]
    assert [tick.text for tick in view.x_ticks] == ["1", "2", "4"]


def test_with_a_diagonal_both_axes_are_zero_to_one():
    view = draw_chart(chart(Line(name="a", x=[0.4, 0.5], y=[0.4, 0.5]), diagonal=True))
    assert all(abs(x / WIDTH - (1 - y / HEIGHT)) < 0.01 for x, y in view.lines[0].marks)


def test_names_of_lines_that_end_together_do_not_overlap_or_leave_the_plot():
    lines = [Line(name=str(i), x=[0, 1], y=[10, y]) for i, y in enumerate((0.1, 0, 5, 0, 0.2))]
    view = draw_chart(chart(*lines, references=(("guess", 0.1),)))
    heights = sorted([line.name_at for line in view.lines] + [r.name_at for r in view.references])
    assert all(b - a >= NAME_HEIGHT - 0.2 for a, b in pairwise(heights))
    assert heights[-1] <= HEIGHT


def test_a_band_goes_there_and_back():
    view = draw_chart(chart(Line(name="a", x=[0, 1], y=[1, 1], low=(0, 0), high=(2, 2))))
    assert view.lines[0].band == f"0.0,{HEIGHT}.0 {WIDTH}.0,{HEIGHT}.0 {WIDTH}.0,0.0 0.0,0.0"


def test_a_chart_of_one_point_or_none_can_be_drawn():
    assert draw_chart(chart(Line(name="a", x=[1], y=[0]), log_x=True)).lines[0].marks == [(0, HEIGHT)]
    assert draw_chart(chart()).lines == []
