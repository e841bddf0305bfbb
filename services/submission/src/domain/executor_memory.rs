//! Whether an application failed because its executors ran out of memory.

use super::observation::ExecutorView;

/// How Spark's driver tells that a task failed with its executor.
const EXECUTOR_LOST: &str = "ExecutorLostFailure (executor ";
/// How far behind it Spark tells how the executor ended.
const REASON_LINES: usize = 40;
/// The kernel's kill, what Kubernetes says of it, and the code with which Spark ends a JVM that
/// has no heap left. <https://github.com/apache/spark/blob/v4.0.1/core/src/main/scala/org/apache/spark/util/SparkExitCode.scala>
const SIGNS: [&str; 3] = ["exit code 137", "OOMKilled", "exit code 52"];

/// What failed, if the driver's log or the executors' pods say that it was memory. `exception` is
/// the line that names why the driver failed: pods count only when that was a failed Spark job.
pub fn executor_out_of_memory(
    exception: Option<&str>,
    log: &str,
    executors: &[ExecutorView],
) -> Option<String> {
    lost_executor(log)
        .or_else(|| exception.and_then(failed_task))
        .or_else(|| {
            let of_spark = exception.is_none_or(|line| line.contains("org.apache.spark."));
            let killed = executors.iter().find(|one| one.is_out_of_memory())?;
            of_spark.then(|| format!("executor {} exceeded its memory", killed.pod))
        })
}

fn lost_executor(log: &str) -> Option<String> {
    let (_before, after) = log.rsplit_once(EXECUTOR_LOST)?;
    let id: String = after.chars().take_while(char::is_ascii_digit).collect();
    let reason = after.lines().take(REASON_LINES);
    let sign = SIGNS
        .into_iter()
        .find(|sign| reason.clone().any(|line| line.contains(sign)))?;
    Some(format!("executor {id} exceeded its memory ({sign})"))
}

fn failed_task(exception: &str) -> Option<String> {
    let (_before, task) = exception.split_once("Job aborted due to stage failure: ")?;
    task.contains("java.lang.OutOfMemoryError")
        .then(|| format!("an executor ran out of heap: {task}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::observation::Container;

    const LOST: &str = "py4j.protocol.Py4JJavaError: An error occurred while calling o42.collect.\n\
        : org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, \
        most recent failure: Lost task 0.3 in stage 1.0 (TID 7) (10.244.0.9 executor 4): \
        ExecutorLostFailure (executor 4 exited caused by one of the running tasks) Reason: \n\
        The executor with id 4 exited with exit code 137(SIGKILL, possible container OOM).\n";

    fn check(exception: Option<&str>, log: &str, killed: bool, expected: Option<&str>) {
        let reason = if killed { "OOMKilled" } else { "Error" };
        let executor = ExecutorView {
            pod: "m-1-exec-2".to_owned(),
            container: Container::Terminated {
                exit_code: 137,
                reason: reason.to_owned(),
                message: String::new(),
                start_time: None,
                end_time: None,
            },
        };
        let found = executor_out_of_memory(exception, log, &[executor]);
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn sparks_own_words_tell_of_a_killed_executor() {
        check(
            None,
            LOST,
            false,
            Some("executor 4 exceeded its memory (exit code 137)"),
        );
        let evicted = LOST.replace(
            "exit code 137(SIGKILL, possible container OOM)",
            "exit code 143",
        );
        check(None, &evicted, false, None);
    }

    #[test]
    fn a_task_without_heap_is_an_executor_without_memory() {
        let exception = "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 \
            failed 4 times, most recent failure: Lost task 0.3 (TID 3): java.lang.OutOfMemoryError: Java heap space";
        let found = executor_out_of_memory(Some(exception), "", &[]).unwrap();
        assert!(
            found.starts_with("an executor ran out of heap: Task 0"),
            "{found}"
        );
    }

    #[test]
    fn a_killed_executor_is_no_reason_for_an_error_of_the_program() {
        let killed = Some("executor m-1-exec-2 exceeded its memory");
        check(None, "", true, killed);
        check(
            Some("org.apache.spark.SparkException: Job aborted"),
            "",
            true,
            killed,
        );
        check(Some("ValueError: no"), "", true, None);
        check(None, "", false, None);
    }
}
