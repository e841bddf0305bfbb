//! Where people look for applications, outside this service.

use clap::Args;

use crate::domain::links::LinkSettings;

/// Where people look for applications.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Links")]
pub struct LinkOptions {
    /// Base URL of the Spark History Server as people reach it; without one,
    /// `GetApplicationLinks` tells no history pages.
    #[arg(
        long = "history-server-url",
        env = "MOKA_HISTORY_SERVER_URL",
        value_name = "URL",
        value_parser = base_url
    )]
    pub history_server: Option<String>,

    /// Base URL of history-index's REST port as people reach it.
    #[arg(
        long = "history-index-url",
        env = "MOKA_HISTORY_INDEX_URL",
        value_name = "URL",
        value_parser = base_url
    )]
    pub history_index: Option<String>,

    /// URL of a dashboard, with `{application_id}`, `{attempt}` and `{cluster}` where they belong.
    #[arg(
        long = "dashboard-url",
        env = "MOKA_DASHBOARD_URL",
        value_name = "URL",
        value_parser = template
    )]
    pub dashboard: Option<String>,
}

impl From<LinkOptions> for LinkSettings {
    fn from(options: LinkOptions) -> Self {
        let LinkOptions {
            history_server,
            history_index,
            dashboard,
        } = options;
        Self {
            history_server,
            history_index,
            dashboard,
        }
    }
}

fn base_url(text: &str) -> Result<String, String> {
    let url = web_address(text)?;
    Ok(url.trim_end_matches('/').to_owned())
}

fn template(text: &str) -> Result<String, String> {
    let url = web_address(text)?;
    let rest = ["{application_id}", "{attempt}", "{cluster}"]
        .iter()
        .fold(url.to_owned(), |rest, name| rest.replace(name, ""));
    if rest.contains(['{', '}']) {
        return Err(
            "only {application_id}, {attempt} and {cluster} may stand in braces".to_owned(),
        );
    }
    Ok(url.to_owned())
}

fn web_address(text: &str) -> Result<&str, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if has_host && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err("must be of the form https://host…".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_web_and_templates_have_known_names() {
        assert_eq!(
            base_url("https://h.example/shs/").as_deref(),
            Ok("https://h.example/shs")
        );
        for text in [
            "",
            "h.example",
            "ftp://h",
            "http://",
            "http:///x",
            "http://a b",
        ] {
            assert!(base_url(text).is_err(), "{text}");
        }
        let board = "http://b/{cluster}/{application_id}?a={attempt}";
        assert_eq!(template(board).as_deref(), Ok(board));
        for text in ["http://b/{id}", "http://b/{", "http://b/{{attempt}}"] {
            assert!(template(text).is_err(), "{text}");
        }
    }
}
