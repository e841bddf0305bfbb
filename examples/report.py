"""Where did the time go? A report over real Spark event logs.

Reads event logs (JSON lines, one file an application), joins the end of every task with its stage, and prints the
stages that took longest. The logs in `data/spark-events` were written by Spark itself.

    report.py [folder of event logs]
"""

import os
import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

TASK_END = """
    `Stage ID` INT, `Stage Attempt ID` INT, `Task End Reason` STRUCT<Reason: STRING>,
    `Task Info` STRUCT<`Launch Time`: LONG, `Finish Time`: LONG, Failed: BOOLEAN>,
    `Task Metrics` STRUCT<`Executor Run Time`: LONG, `JVM GC Time`: LONG>
"""
STAGE_COMPLETED = "`Stage Info` STRUCT<`Stage ID`: INT, `Stage Attempt ID`: INT, `Stage Name`: STRING>"


def events(lines, kind, schema):
    """The events of one kind, as columns, each with the log that it came from."""
    return (
        lines.where(f.col("value").startswith(f'{{"Event":"SparkListener{kind}"'))
        .select("log", f.from_json("value", schema).alias("event"))
        .select("log", "event.*")
    )


def main(folder):
    spark = SparkSession.builder.appName("event log report").getOrCreate()
    lines = (
        spark.read.option("pathGlobFilter", "*.json.gz").text(f"file://{folder}")
        .withColumn("log", f.regexp_extract(f.input_file_name(), r"([^/]+)\.json\.gz$", 1))
        .cache()
    )
    print(f"read {lines.count()} events of {lines.select('log').distinct().count()} applications", flush=True)

    stages = events(lines, "StageCompleted", STAGE_COMPLETED).select(
        "log",
        f.col("Stage Info.Stage ID").alias("stage"),
        f.col("Stage Info.Stage Attempt ID").alias("attempt"),
        f.col("Stage Info.Stage Name").alias("name"),
    )
    tasks = events(lines, "TaskEnd", TASK_END).select(
        "log",
        f.col("Stage ID").alias("stage"),
        f.col("Stage Attempt ID").alias("attempt"),
        (f.col("Task End Reason.Reason") != "Success").cast("int").alias("failed"),
        f.col("Task Metrics.Executor Run Time").alias("run_ms"),
        f.col("Task Metrics.JVM GC Time").alias("gc_ms"),
    )
    report = (
        tasks.join(stages, ["log", "stage", "attempt"])
        .groupBy("log", "stage", "attempt", "name")
        .agg(
            f.count("*").alias("tasks"),
            f.sum("failed").alias("failed"),
            f.sum("run_ms").alias("run_ms"),
            f.sum("gc_ms").alias("gc_ms"),
        )
        .orderBy(f.desc("run_ms"))
    )
    rows = report.collect()
    for row in rows[:10]:
        print(f"{row.run_ms:>9} ms {row.tasks:>5} tasks {row.failed:>4} failed  {row.log} stage {row.stage}: {row.name}")
    if not rows:
        sys.exit("the logs hold no finished stage")
    print(f"report done: {len(rows)} stages, {sum(row.tasks for row in rows)} tasks", flush=True)
    spark.stop()


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "data", "spark-events"))
