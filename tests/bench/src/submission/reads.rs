//! Reads, with all of history present.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use moka_proto::submission::v1::{GetApplicationRequest, ListApplicationsRequest};

use super::{
    history::{ROWS, id},
    installation::Installation,
    load,
};
use crate::figure::Figure;

const WARM_UP: Duration = Duration::from_secs(3);
const DURATION: Duration = Duration::from_secs(10);
const GETS_PER_SECOND: u32 = 500;
const LISTS_PER_SECOND: u32 = 25;
/// Spreads calls over all rows.
const STRIDE: u64 = 999_983;

/// Makes the filter of a call from its number.
type FilterOf = fn(u64) -> String;

/// First pages as people ask for them: the figures' names, and their filters.
const FIRST_PAGES: [(&str, FilterOf); 7] = [
    ("list_all_p99_ms", |_| String::new()),
    ("list_workflow_p99_ms", |number| {
        format!("workflow = \"workflow-{}\"", number * 13 % 5000)
    }),
    ("list_owner_failed_p99_ms", |number| {
        format!("owner = \"owner-{}\" AND state = FAILED", number % 200)
    }),
    ("list_project_p99_ms", |number| {
        format!("project = \"team-{}\"", number * number % 50)
    }),
    ("list_live_p99_ms", |_| {
        "state = RUNNING OR state = SUBMITTED".to_owned()
    }),
    ("list_tag_p99_ms", |_| {
        "state = FAILED AND (tags.cost = \"7\" OR tags.cost = \"27\")".to_owned()
    }),
    ("list_time_cluster_p99_ms", |_| {
        "create_time >= \"2026-10-01T00:00:00Z\" AND cluster = \"cluster-3\"".to_owned()
    }),
];

pub(crate) async fn measure(installation: &Installation) -> Result<Vec<Figure>> {
    let get = get(installation).await?;
    let mut figures = vec![Figure::alone("get_p99_ms", get.p99_ms(), "ms")];
    let mut slowest = 0.0_f64;
    for (name, filter) in FIRST_PAGES {
        let list = list(installation, filter).await?;
        slowest = slowest.max(list.p99_ms());
        figures.push(Figure::alone(name, list.p99_ms(), "ms"));
    }
    // The slowest kind counts.
    figures.push(Figure::alone("list_p99_ms", slowest, "ms"));
    Ok(figures)
}

async fn get(installation: &Installation) -> Result<load::Load> {
    let client = installation.client()?;
    load::at_rate(GETS_PER_SECOND, WARM_UP, DURATION, |number| {
        let mut client = client.clone();
        async move {
            let application_id = id(number * STRIDE % ROWS);
            let answer = client
                .get_application(GetApplicationRequest {
                    application_id: application_id.clone(),
                })
                .await?;
            let found = answer.into_inner().application.context("no application")?;
            ensure!(found.application_id == application_id, "it is another one");
            Ok(())
        }
    })
    .await
}

async fn list(installation: &Installation, filter: FilterOf) -> Result<load::Load> {
    let client = installation.client()?;
    load::at_rate(LISTS_PER_SECOND, WARM_UP, DURATION, |number| {
        let mut client = client.clone();
        async move {
            let request = ListApplicationsRequest {
                filter: filter(number),
                ..ListApplicationsRequest::default()
            };
            let answer = client.list_applications(request.clone()).await?;
            let found = answer.into_inner().applications.len();
            ensure!(found > 0, "nothing is found by {request:?}");
            Ok(())
        }
    })
    .await
}
