//! Where to look for an application now, by its state.

use moka_core::{AttemptName, labels};

use super::{
    application::{Application, Attempt},
    state::ApplicationState,
};

/// Where things outside this service are. What is `None` gives no links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSettings {
    /// Base URL of the Spark History Server, without a slash at its end.
    pub history_server: Option<String>,
    /// Base URL of history-index's REST port, without a slash at its end.
    pub history_index: Option<String>,
    /// A dashboard's URL with `{application_id}`, `{attempt}` and `{cluster}`.
    pub dashboard: Option<String>,
}

/// Somewhere to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What is there.
    pub kind: LinkKind,
    /// For people.
    pub title: String,
    /// A web address, or the name of a stream at log-broker.
    pub target: String,
    /// The attempt that it is about.
    pub attempt_number: u32,
}

/// What is behind a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Spark's own web interface in the running driver.
    LiveUi,
    /// A log stream of log-broker.
    LogStream,
    /// The page of the Spark History Server.
    HistoryServer,
    /// The application in history-index.
    HistoryIndex,
    /// A dashboard.
    Dashboard,
}

/// Links to everything that can be looked at now, the most useful first: the current attempt before
/// earlier ones, and of each the web interface while it runs or its history afterwards, then its
/// dashboard and its logs.
pub fn links(application: &Application, settings: &LinkSettings) -> Vec<Link> {
    let mut attempts = application.attempts.iter().rev();
    let current = attempts.next().map(|attempt| {
        let runs = application.state == ApplicationState::Running && attempt.end_time.is_none();
        of_attempt(application, attempt, settings, runs)
    });
    let earlier = attempts.map(|attempt| of_attempt(application, attempt, settings, false));
    current.into_iter().chain(earlier).flatten().collect()
}

fn of_attempt(
    application: &Application,
    attempt: &Attempt,
    settings: &LinkSettings,
    runs: bool,
) -> Vec<Link> {
    let name = AttemptName::new(application.id, attempt.number);
    let link = |kind, what: &str, target| Link {
        kind,
        title: format!("{what} of attempt {}", attempt.number),
        target,
        attempt_number: attempt.number,
    };
    let mut found = Vec::new();
    if runs && let Some(template) = live_ui(attempt) {
        let target = filled(template, name, attempt);
        found.push(link(LinkKind::LiveUi, "web interface", target));
    }
    // Spark's own id is known from the driver on; without one there is nothing to look into.
    let Some(spark_id) = &attempt.spark_application_id else {
        return found;
    };
    if !runs {
        if let Some(base) = &settings.history_server {
            let target = format!("{base}/history/{spark_id}/jobs/");
            found.push(link(LinkKind::HistoryServer, "history", target));
        }
        if let Some(base) = &settings.history_index {
            let target = format!("{base}/api/v1/applications/{spark_id}");
            found.push(link(LinkKind::HistoryIndex, "indexed history", target));
        }
    }
    if let Some(template) = &settings.dashboard {
        let target = filled(template, name, attempt);
        found.push(link(LinkKind::Dashboard, "dashboard", target));
    }
    let (pod, container) = (name.driver_pod(), labels::DRIVER_CONTAINER);
    let driver_log = format!("{name}/containers/{pod}/{container}");
    found.push(link(LinkKind::LogStream, "driver log", driver_log));
    let event_log = format!("{name}/events/{spark_id}");
    found.push(link(LinkKind::LogStream, "event log", event_log));
    found
}

fn live_ui(attempt: &Attempt) -> Option<&String> {
    let launch = attempt.launch.as_ref()?;
    launch.live_ui.url_template.as_ref()
}

/// Ids, numbers and clusters' names are DNS labels: they stand in a URL as they are.
fn filled(template: &str, name: AttemptName, attempt: &Attempt) -> String {
    template
        .replace("{application_id}", &name.application_id.to_string())
        .replace("{attempt}", &name.number.to_string())
        .replace("{cluster}", &attempt.placement.cluster)
}

#[cfg(test)]
mod tests;
