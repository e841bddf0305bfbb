"""Fails on purpose: a data check that finds a bad order, as pipelines do.

The exception's line is what `GetApplication` shows as the reason.
"""

from pyspark.sql import SparkSession


def main():
    spark = SparkSession.builder.appName("broken orders").getOrCreate()
    orders = spark.range(1000).selectExpr("id AS order_id", "IF(id = 42, -7, id * 3) AS amount")
    bad = orders.where("amount < 0").collect()
    print(f"checked {orders.count()} orders", flush=True)
    if bad:
        raise ValueError(f"order {bad[0].order_id} has a negative amount: {bad[0].amount}")
    spark.stop()


if __name__ == "__main__":
    main()
