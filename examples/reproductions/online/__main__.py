"""python -m examples.reproductions.online"""

from examples.reproductions.online.experiment import measure, report
from examples.reproductions.online.figure import draw
from examples.reproductions.page import run

if __name__ == "__main__":
    run("online", measure, report, draw)
