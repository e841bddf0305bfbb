"""Runs the SQL statements beside this file in the order of their names, in one session.

The rows of each result are printed, MOST_ROWS at most. The first statement that fails ends the
application with its error.
"""

import pathlib

from pyspark.sql import SparkSession

MOST_ROWS = 1000


def main():
    files = sorted(pathlib.Path(__file__).parent.glob("*.sql"))
    session = SparkSession.builder.getOrCreate()
    try:
        for number, file in enumerate(files, start=1):
            print(f"statement {number} of {len(files)}", flush=True)
            result = session.sql(file.read_text(encoding="utf-8"))
            if result.columns:
                result.show(MOST_ROWS, truncate=False)
    finally:
        session.stop()


if __name__ == "__main__":
    main()
