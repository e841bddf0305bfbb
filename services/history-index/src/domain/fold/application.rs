//! Facts about the application as a whole.

use std::collections::BTreeMap;

use crate::domain::{
    event::{ApplicationEnd, ApplicationStart, LogStart},
    model::{Application, Counts, SparkTime},
};

#[derive(Debug, Default)]
pub(super) struct ApplicationFacts {
    spark_version: Option<String>,
    start: Option<Start>,
    end: Option<ApplicationEnd>,
}

#[derive(Debug)]
struct Start {
    id: String,
    name: String,
    user: String,
    time: i64,
    driver_logs: BTreeMap<String, String>,
    driver_attributes: BTreeMap<String, String>,
}

/// What the application's start tells of the driver.
#[derive(Debug, Clone, Copy)]
pub(super) struct DriverLinks<'a> {
    pub(super) logs: &'a BTreeMap<String, String>,
    pub(super) attributes: &'a BTreeMap<String, String>,
}

impl ApplicationFacts {
    pub(super) fn log_start(&mut self, event: &LogStart<'_>) {
        self.spark_version
            .get_or_insert_with(|| event.spark_version.to_string());
    }

    pub(super) fn start(&mut self, event: &ApplicationStart<'_>) {
        self.start.get_or_insert_with(|| Start {
            id: event.id.as_deref().unwrap_or_default().to_owned(),
            name: event.name.to_string(),
            user: event.user.to_string(),
            time: event.time,
            driver_logs: event.driver_logs.clone().unwrap_or_default(),
            driver_attributes: event.driver_attributes.clone().unwrap_or_default(),
        });
    }

    pub(super) fn end(&mut self, event: ApplicationEnd) {
        self.end.get_or_insert(event);
    }

    /// The driver's own logs and attributes, which only the application's start tells.
    pub(super) fn driver_links(&self) -> Option<DriverLinks<'_>> {
        let start = self
            .start
            .as_ref()
            .filter(|start| !start.driver_logs.is_empty())?;
        Some(DriverLinks {
            logs: &start.driver_logs,
            attributes: &start.driver_attributes,
        })
    }

    /// Milliseconds from the start to the end, when both were seen.
    pub(super) fn duration(&self) -> Option<i64> {
        Some(self.end?.time.saturating_sub(self.start.as_ref()?.time))
    }

    pub(super) fn view(&self, counts: Counts) -> Application {
        let start = self.start.as_ref();
        Application {
            spark_application_id: start.map(|start| start.id.clone()).unwrap_or_default(),
            name: start.map(|start| start.name.clone()).unwrap_or_default(),
            user: start.map(|start| start.user.clone()).unwrap_or_default(),
            spark_version: self.spark_version.clone().unwrap_or_default(),
            start_time: start.map(|start| SparkTime(start.time)),
            end_time: self.end.map(|end| SparkTime(end.time)),
            exit_code: self.end.and_then(|end| end.exit_code),
            counts,
        }
    }
}
