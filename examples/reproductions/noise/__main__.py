"""python -m examples.reproductions.noise"""

from examples.reproductions.noise.experiment import measure, report
from examples.reproductions.noise.figure import draw
from examples.reproductions.page import run

if __name__ == "__main__":
    run("noise", measure, report, draw)
