"""Writes numbered lines to standard output: 48 MB unless told otherwise, so that the kubelet rotates the driver's log
again and again.

Every line can be told from every other: `line 7 xxxx…`, each 200 characters long.
"""

import argparse
import time

from pyspark.sql import SparkSession

LINE_CHARACTERS = 200


def line(number):
    return f"line {number} ".ljust(LINE_CHARACTERS, "x")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=240_000)
    parser.add_argument("--lines-at-a-time", type=int, default=4_000)
    parser.add_argument("--pause-seconds", type=float, default=0.4)
    return parser.parse_args()


def main():
    wanted = arguments()
    spark = SparkSession.builder.appName("chatty driver").getOrCreate()
    for start in range(0, wanted.lines, wanted.lines_at_a_time):
        end = min(start + wanted.lines_at_a_time, wanted.lines)
        print("\n".join(line(number) for number in range(start, end)), flush=True)
        time.sleep(wanted.pause_seconds)
    spark.stop()


if __name__ == "__main__":
    main()
