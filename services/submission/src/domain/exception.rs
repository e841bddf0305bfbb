//! The line of a driver's log that says why it failed.

/// Finds the exception that ended a driver: the last line of the last Python traceback, or what the
/// JVM printed when its main thread died, with its root cause. `None` when the log has neither.
pub fn exception_line(log: &str) -> Option<String> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).collect();
    python_exception(&lines).or_else(|| jvm_exception(&lines))
}

const TRACEBACK: &str = "Traceback (most recent call last):";

/// After `Traceback …` come indented frames, then the exception at the left margin.
fn python_exception(lines: &[&str]) -> Option<String> {
    let start = lines.iter().rposition(|line| *line == TRACEBACK)?;
    let after = &lines[start + 1..];
    let at = after.iter().position(|line| {
        !line.is_empty() && !line.starts_with(char::is_whitespace) && is_exception(line)
    })?;
    let exception = after[at];
    // py4j writes `…Py4JJavaError: An error occurred while calling o42.collect.` and tells the
    // JVM's exception on the next line, after a colon.
    match after.get(at + 1).and_then(|line| line.strip_prefix(": ")) {
        Some(cause) => Some(format!("{exception} {cause}")),
        None => Some(exception.to_owned()),
    }
}

/// `ValueError: …`, `module.Error`, but no log line that another thread wrote in between.
fn is_exception(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or(line);
    let first = name.split('.').next().unwrap_or(name);
    !name.is_empty()
        && first.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '.')
}

const MAIN_THREAD: &str = "Exception in thread \"main\" ";
const CAUSED_BY: &str = "Caused by: ";
/// What `spark-submit` throws because the user's program ended, which says nothing by itself.
const MESSENGER: &str = "org.apache.spark.SparkUserAppException";

fn jvm_exception(lines: &[&str]) -> Option<String> {
    let start = lines.iter().rposition(|line| {
        line.strip_prefix(MAIN_THREAD)
            .is_some_and(|exception| !exception.starts_with(MESSENGER))
    });
    let Some(start) = start else {
        let cause = lines
            .iter()
            .rev()
            .find_map(|line| line.strip_prefix(CAUSED_BY));
        return cause.map(str::to_owned);
    };
    let exception = &lines[start][MAIN_THREAD.len()..];
    let trace = lines[start + 1..].iter().take_while(|line| {
        line.starts_with(char::is_whitespace) || line.starts_with(CAUSED_BY) || line.is_empty()
    });
    match trace.filter_map(|line| line.strip_prefix(CAUSED_BY)).last() {
        Some(cause) if cause != exception => Some(format!("{exception}, caused by {cause}")),
        _ => Some(exception.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(log: &str, expected: Option<&str>) {
        assert_eq!(exception_line(log).as_deref(), expected, "{log}");
    }

    #[test]
    fn the_last_python_traceback_names_the_reason() {
        check(
            "26/11/21 01:23:40 INFO DAGScheduler: Job 1 finished\n\
             Traceback (most recent call last):\n  File \"/opt/app/broken_orders.py\", line 23, in <module>\n    main()\n\
             KeyError: 'first'\n\nDuring handling of the above exception, another exception occurred:\n\n\
             Traceback (most recent call last):\n  File \"/opt/app/broken_orders.py\", line 18, in main\n    raise ValueError(\n\
             ValueError: order 42 has a negative amount: -7\n\
             26/11/21 01:23:41 INFO SparkContext: Invoking stop() from shutdown hook\n",
            Some("ValueError: order 42 has a negative amount: -7"),
        );
    }

    #[test]
    fn log_lines_inside_a_traceback_are_passed_over() {
        check(
            "Traceback (most recent call last):\n26/11/21 01:23:41 INFO BlockManager: removed\n  File \"x.py\", line 1\nZeroDivisionError: division by zero",
            Some("ZeroDivisionError: division by zero"),
        );
    }

    #[test]
    fn a_bare_exception_is_one_too() {
        check(
            "Traceback (most recent call last):\n  File \"x\"\nKeyboardInterrupt",
            Some("KeyboardInterrupt"),
        );
    }

    #[test]
    fn py4j_tells_the_exception_of_the_jvm() {
        check(
            "Traceback (most recent call last):\n  File \"x.py\", line 1\n\
             py4j.protocol.Py4JJavaError: An error occurred while calling o42.collect.\n\
             : org.apache.spark.SparkException: Job aborted due to stage failure\n\tat x.y(z.scala:1)\n",
            Some(
                "py4j.protocol.Py4JJavaError: An error occurred while calling o42.collect. org.apache.spark.SparkException: Job aborted due to stage failure",
            ),
        );
    }

    #[test]
    fn the_jvm_tells_its_root_cause() {
        check(
            "Exception in thread \"main\" org.apache.spark.SparkException: Job aborted\n\tat a.b(c.scala:1)\n\
             Caused by: java.io.IOException: first\n\t... 12 more\nCaused by: java.net.ConnectException: refused\n\tat d.e(F.java:2)\n",
            Some(
                "org.apache.spark.SparkException: Job aborted, caused by java.net.ConnectException: refused",
            ),
        );
        check(
            "Exception in thread \"main\" java.lang.IllegalStateException: no\n",
            Some("java.lang.IllegalStateException: no"),
        );
    }

    #[test]
    fn the_messenger_is_not_the_reason() {
        check(
            "Exception in thread \"main\" org.apache.spark.SparkUserAppException: User application exited with 7\n\tat x\n",
            None,
        );
        check("all is well\n", None);
        check("Traceback (most recent call last):\n", None);
    }

    proptest! {
        #[test]
        fn any_log_is_read_without_panic(log in "(Traceback \\(most recent call last\\):\n|Exception in thread \"main\" |Caused by: |: |[a-zä. \t:]{0,9}\n){0,20}") {
            let _ = exception_line(&log);
        }
    }
}
