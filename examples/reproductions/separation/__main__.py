"""python -m examples.reproductions.separation"""

from examples.reproductions.page import run
from examples.reproductions.separation.experiment import measure, report
from examples.reproductions.separation.figure import draw

if __name__ == "__main__":
    run("separation", measure, report, draw)
