"""python -m examples.reproductions.regions"""

from examples.reproductions.page import run
from examples.reproductions.regions.experiment import measure, report
from examples.reproductions.regions.figure import draw

if __name__ == "__main__":
    run("regions", measure, report, draw)
