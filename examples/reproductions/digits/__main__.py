"""python -m examples.reproductions.digits"""

from examples.reproductions.digits.experiment import measure, report
from examples.reproductions.digits.figure import draw
from examples.reproductions.page import run

if __name__ == "__main__":
    run("digits", measure, report, draw)
