"""python -m examples.reproductions.tracking"""

from examples.reproductions.page import run
from examples.reproductions.tracking.experiment import measure, report
from examples.reproductions.tracking.figure import draw

if __name__ == "__main__":
    run("tracking", measure, report, draw)
