"""Line charts as SVG, for figures that go into bench/results."""
import html

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#57606a")


def _nice_top(value):
    """The smallest of 1, 2, 5 times a power of ten that is not below."""
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)


def _text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{html.escape(str(words))}</text>'


def line_chart(title, x_title, y_title, lines):
    """lines: name -> [(x, y), ...]; both axes begin at 0 and are linear."""
    points = [point for line in lines.values() for point in line]
    x_top = _nice_top(max([x for x, _ in points] + [1e-9]))
    y_top = _nice_top(max([y for _, y in points] + [1e-9]))
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x, y):
        return LEFT + x / x_top * across, TOP + down - y / y_top * down

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', _text(LEFT + across / 2, 22, title, extra='font-size="15"')]
    for step in range(6):
        x, y = place(x_top * step / 5, y_top * step / 5)
        out.append(f'<path d="M{LEFT} {y:.1f}H{LEFT + across}M{x:.1f} {TOP}V{TOP + down}" stroke="#d0d7de" fill="none"/>')
        out.append(_text(LEFT - 6, y + 4, f"{y_top * step / 5:g}", "end"))
        out.append(_text(x, TOP + down + 16, f"{x_top * step / 5:g}"))
    out.append(_text(LEFT + across / 2, HEIGHT - 10, x_title))
    out.append(_text(16, TOP + down / 2, y_title, extra=f'transform="rotate(-90 16 {TOP + down / 2:.0f})"'))
    for index, (name, line) in enumerate(lines.items()):
        colour = COLOURS[index % len(COLOURS)]
        placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in sorted(line)))
        out.append(f'<polyline points="{placed}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(_text(LEFT + across + 12, TOP + 16 + 18 * index, name, "start", f'fill="{colour}"'))
    return "\n".join(out + ["</svg>"]) + "\n"
