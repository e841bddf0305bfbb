"""Writes 48 MB of numbered lines to standard output, so that the kubelet rotates the driver's log again and again.

Every line can be told from every other: `line 7 xxxx…`, each 200 characters long.
"""

import time

from pyspark.sql import SparkSession

LINES = 240_000
LINES_AT_A_TIME = 4_000
LINE_CHARACTERS = 200
PAUSE_SECONDS = 0.4


def line(number):
    return f"line {number} ".ljust(LINE_CHARACTERS, "x")


def main():
    spark = SparkSession.builder.appName("chatty driver").getOrCreate()
    for start in range(0, LINES, LINES_AT_A_TIME):
        text = "\n".join(line(number) for number in range(start, start + LINES_AT_A_TIME))
        print(text, flush=True)
        time.sleep(PAUSE_SECONDS)
    spark.stop()


if __name__ == "__main__":
    main()
