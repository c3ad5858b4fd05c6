"""python -m examples.reproductions.curvature"""

from examples.reproductions.curvature.experiment import measure, report
from examples.reproductions.curvature.figure import draw
from examples.reproductions.page import run

if __name__ == "__main__":
    run("curvature", measure, report, draw)
