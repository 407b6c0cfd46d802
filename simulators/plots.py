"""`python -m simulators.plots [LINE …] [--out docs/lines]`: one simulated shift per line as a picture, `LINE.png`.

plant.yaml says what is drawn, one panel each: `plot: [{ko: 존 온도, en: Zones, unit: ℃, of: [VARIABLE, …]}]`; without
it, the first measurements. Labels are Korean where a Korean font is installed (Debian: fonts-nanum). Needs
matplotlib, which is no part of the product: `make plots`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from simulators.plant import Plant, document_of, line_names, plant_of
from simulators.signals.physics import STEP_S
from simulators.signals.schedule import START_S

SHIFT_S: Final = 12 * 3600
EVERY_S: Final = 20
"""Plant seconds between two points of a curve."""
_PANELS: Final = 6
"""Panels where plant.yaml names none."""
_FONTS: Final = ("NanumGothic", "NanumBarunGothic", "Noto Sans CJK KR", "UnDotum", "Baekmuk Gulim")
_DPI: Final = 80
_COLOURS: Final = 96
"""Of the picture: curves need few, and the file is a third."""
_WIDTH: Final = 12.0
_HEIGHT: Final = 1.9
"""Of a panel, inches."""


def korean_font() -> str | None:
    """A font with Korean letters that is installed here."""
    installed = {one.name for one in font_manager.fontManager.ttflist}
    return next((font for font in _FONTS if font in installed), None)


def panels(document: Mapping[str, Any], plant: Plant) -> list[dict[str, Any]]:
    """What is drawn of a line: `ko`, `en`, `unit` and the variables `of`.

    Raises:
        ValueError: a panel names a variable that is not there.
    """
    found: list[dict[str, Any]] = list(document.get("plot") or ())
    for panel in found:
        for name in panel["of"]:
            if name not in plant.values:
                raise ValueError(f"plot: {name} is no variable of {document['line']}")
    shown = {signal.of: signal.name for signal in plant.signals() if isinstance(plant.values[signal.of], float)}
    return found or [{"ko": name, "en": name, "of": [of]} for of, name in list(shown.items())[:_PANELS]]


def shift(plant: Plant, names: Sequence[str]) -> tuple[list[float], dict[str, list[float]]]:
    """Hours of the day, and each variable's values at them, over one shift."""
    hours: list[float] = []
    rows: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(SHIFT_S // EVERY_S):
        plant.step(round(EVERY_S / STEP_S))
        hours.append((START_S + plant.values["t"]) / 3600)
        for name, row in rows.items():
            row.append(float(plant.values[name]))
    return hours, rows


def draw(line: str, folder: Path, seed: int) -> Path:
    """Draw a line's shift; where the picture is.

    Raises:
        ValueError: no such line, or it cannot be drawn.
    """
    document = document_of(line)
    plant = plant_of([document], seed)
    wanted = panels(document, plant)
    hours, rows = shift(plant, list(dict.fromkeys(name for panel in wanted for name in panel["of"])))
    font = korean_font()
    fonts = [font, "DejaVu Sans"] if font else ["DejaVu Sans"]
    with mpl.rc_context({"font.family": fonts, "axes.unicode_minus": False}):
        figure = Figure((_WIDTH, _HEIGHT * len(wanted)), dpi=_DPI, layout="constrained")
        axes = figure.subplots(len(wanted), 1, sharex=True, squeeze=False)
        for axis, panel in zip(axes[:, 0], wanted, strict=True):
            for name in panel["of"]:
                axis.plot(hours, rows[name], linewidth=0.6, label=name)
            axis.set_title(_title(panel, korean=font is not None), loc="left", fontsize=10)
            axis.grid(visible=True, linewidth=0.3)
            axis.legend(loc="upper right", fontsize=7, ncols=6)
        full = range(math.ceil(hours[0]), int(hours[-1]) + 1)
        axis.set_xlim(hours[0], hours[-1])
        axis.set_xticks(full, [f"{hour % 24:02d}:00" for hour in full])
        path = folder / f"{line}.png"
        folder.mkdir(parents=True, exist_ok=True)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        picture = Image.fromarray(pixels[:, :, :3])
        picture.quantize(_COLOURS).save(path, optimize=True)
    return path


def _title(panel: Mapping[str, Any], *, korean: bool) -> str:
    words = f"{panel['ko']} {panel['en']}" if korean and panel["ko"] != panel["en"] else panel["en"]
    return f"{words} [{panel['unit']}]" if panel.get("unit") else str(words)


def main() -> None:
    """Parse the arguments and draw."""
    parser = argparse.ArgumentParser(prog="python -m simulators.plots", description=__doc__)
    parser.add_argument("line", nargs="*", help=f"default: all: {', '.join(line_names())}")
    parser.add_argument("--out", type=Path, default=Path("docs/lines"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    try:
        for line in args.line or line_names():
            draw(line, args.out, args.seed)
    except ValueError as reason:
        parser.error(str(reason))


if __name__ == "__main__":
    main()
