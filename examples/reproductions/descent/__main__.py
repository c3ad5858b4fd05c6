"""python -m examples.reproductions.descent"""

from examples.reproductions.descent.experiment import measure, report
from examples.reproductions.descent.figure import draw
from examples.reproductions.page import run

if __name__ == "__main__":
    run("descent", measure, report, draw)
