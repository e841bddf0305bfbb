//! Why an attempt ended.

use super::super::{
    application::Ending,
    exception::exception_line,
    executor_memory::executor_out_of_memory,
    exit::{Exit, ExitCategory, shorten, tail_of},
    observation::{Container, DriverView, ExecutorView, Observation},
};

/// What `YuniKorn` said when it rejected an application; the operator does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// In `YuniKorn`'s words.
    pub message: String,
}

/// What the kubelet says of a container about which it knows nothing.
const STATUS_UNKNOWN: &str = "ContainerStatusUnknown";

/// What tells why an attempt ended, beside the objects themselves. What could not be read is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The end of the driver's log.
    pub log: String,
    /// What `YuniKorn` said, when it rejected the attempt.
    pub rejection: Option<Rejection>,
    /// What was left of the executors when the driver had failed.
    pub executors: Vec<ExecutorView>,
}

/// The exit of an attempt of which nothing runs any more.
pub fn exit_of(observation: &Observation, evidence: &Evidence) -> Exit {
    let rejection = evidence.rejection.as_ref();
    let driver = observation.driver.as_ref();
    let exit_code = driver.and_then(|driver| match &driver.container {
        // The kubelet fills in 137 when it knows of no container, such as one that never started.
        Container::Terminated { reason, .. } if reason == STATUS_UNKNOWN => None,
        Container::Terminated { exit_code, .. } => Some(*exit_code),
        _ => None,
    });
    let Ending { category, message } = driver
        .and_then(|driver| of_driver(driver, evidence))
        .unwrap_or_else(|| of_object(observation, rejection));
    // The kubelet kept the last lines in the pod itself, in case that the log is lost.
    let kept = driver.map_or("", |driver| match &driver.container {
        Container::Terminated { message, .. } => message,
        _ => "",
    });
    let log = if evidence.log.is_empty() {
        kept
    } else {
        &evidence.log
    };
    Exit {
        category,
        exit_code,
        message: shorten(&message),
        log_tail: tail_of(log),
    }
}

/// Somebody other than the application ends the driver.
pub(super) fn disruption_of(driver: &DriverView) -> Option<Ending> {
    let category = match (driver.reason.as_str(), driver.disruption.as_deref()) {
        (_, Some("DeletionByTaintManager" | "DeletionByPodGC"))
        | ("NodeLost" | "NodeShutdown" | "Shutdown" | "Terminated", _) => ExitCategory::NodeLost,
        (_, Some(_)) | ("Evicted" | "Preempting" | "Preempted", _) => ExitCategory::Preempted,
        _ => return None,
    };
    let why = [
        &driver.reason,
        &driver.message,
        driver.disruption.as_ref().unwrap_or(&String::new()),
    ]
    .into_iter()
    .filter(|text| !text.is_empty())
    .cloned()
    .collect::<Vec<_>>()
    .join(": ");
    Some(Ending {
        category,
        message: why,
    })
}

fn of_driver(driver: &DriverView, evidence: &Evidence) -> Option<Ending> {
    if let Container::Terminated {
        exit_code,
        reason,
        message,
        ..
    } = &driver.container
    {
        return Some(of_container(driver, *exit_code, reason, message, evidence));
    }
    if driver.reason == "ApplicationRejected" {
        let rejection = evidence.rejection.as_ref();
        let message = rejection.map_or(&driver.message, |rejection| &rejection.message);
        return Some(Ending {
            category: ExitCategory::Quota,
            message: message.trim().to_owned(),
        });
    }
    if let Some(ending) = disruption_of(driver) {
        return Some(ending);
    }
    if driver.delete_time.is_some() {
        return Some(Ending {
            category: ExitCategory::Deleted,
            message: "the driver's pod was deleted before it ran".to_owned(),
        });
    }
    None
}

fn of_container(
    driver: &DriverView,
    exit_code: i32,
    reason: &str,
    termination_message: &str,
    evidence: &Evidence,
) -> Ending {
    let log = &evidence.log;
    let plain = format!("the driver ended with exit code {exit_code}");
    if exit_code == 0 {
        return Ending {
            category: ExitCategory::Success,
            message: plain,
        };
    }
    let exception = exception_line(log).or_else(|| exception_line(termination_message));
    let out_of_memory = reason == "OOMKilled"
        || exception
            .as_ref()
            .is_some_and(|line| line.starts_with("java.lang.OutOfMemoryError"));
    if out_of_memory {
        let message = exception.unwrap_or_else(|| "the driver exceeded its memory".to_owned());
        return Ending {
            category: ExitCategory::DriverOutOfMemory,
            message,
        };
    }
    if let Some(ending) = disruption_of(driver) {
        return ending;
    }
    if reason == STATUS_UNKNOWN {
        return Ending {
            category: ExitCategory::NodeLost,
            message: "the node did not tell how the driver ended".to_owned(),
        };
    }
    let killed = matches!(exit_code, 137 | 143);
    if killed && driver.delete_time.is_some() {
        return Ending {
            category: ExitCategory::Deleted,
            message: "the driver's pod was deleted".to_owned(),
        };
    }
    let text = if log.is_empty() {
        termination_message
    } else {
        log
    };
    if !killed
        && let Some(message) =
            executor_out_of_memory(exception.as_deref(), text, &evidence.executors)
    {
        return Ending {
            category: ExitCategory::ExecutorOutOfMemory,
            message,
        };
    }
    match exception {
        Some(message) => Ending {
            category: ExitCategory::UserError,
            message,
        },
        None if killed => Ending {
            category: ExitCategory::Unknown,
            message: format!("the driver was killed by signal {}", exit_code - 128),
        },
        None => Ending {
            category: ExitCategory::UserError,
            message: plain,
        },
    }
}

/// No container ended, so only the object can tell.
fn of_object(observation: &Observation, rejection: Option<&Rejection>) -> Ending {
    if let Some(rejection) = rejection {
        return Ending {
            category: ExitCategory::Quota,
            message: rejection.message.clone(),
        };
    }
    let Some(object) = &observation.object else {
        return Ending {
            category: ExitCategory::Deleted,
            message: "the SparkApplication was deleted".to_owned(),
        };
    };
    let message = object.error_message.clone();
    let category = match (object.state.as_str(), message.as_str()) {
        ("COMPLETED", _) => ExitCategory::Success,
        ("FAILED", "driver pod not found") => ExitCategory::Deleted,
        ("FAILED", text) if text.contains("spark-submit") || text.contains("submi") => {
            ExitCategory::LaunchRefused
        }
        _ if object.delete_time.is_some() => ExitCategory::Deleted,
        _ => ExitCategory::Unknown,
    };
    let message = if message.is_empty() {
        format!("the operator says {}", object.state)
    } else {
        message
    };
    Ending { category, message }
}
