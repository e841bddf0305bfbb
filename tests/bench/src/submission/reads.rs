//! Reads, with all of history present.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use moka_proto::submission::v1::{
    ApplicationState, GetApplicationRequest, ListApplicationsRequest,
};

use super::{
    history::{ROWS, id},
    installation::Installation,
    load,
};
use crate::figure::Figure;

const CALLERS: usize = 8;
const WARM_UP: Duration = Duration::from_secs(3);
const DURATION: Duration = Duration::from_secs(10);
/// Spreads calls over all rows.
const STRIDE: u64 = 999_983;

pub(crate) async fn measure(installation: &Installation) -> Result<Vec<Figure>> {
    let get = get(installation).await?;
    let list = list(installation).await?;
    Ok(vec![
        Figure::alone("get_p99_ms", get.p99_ms(), "ms"),
        Figure::alone("list_p99_ms", list.p99_ms(), "ms"),
    ])
}

async fn get(installation: &Installation) -> Result<load::Load> {
    let client = installation.client()?;
    load::run(CALLERS, WARM_UP, DURATION, |caller| {
        let client = client.clone();
        move |count: u64| {
            let mut client = client.clone();
            async move {
                let number = (caller as u64 * 1_234_567 + count * STRIDE) % ROWS;
                let application_id = id(number);
                let answer = client
                    .get_application(GetApplicationRequest {
                        application_id: application_id.clone(),
                    })
                    .await?;
                let found = answer.into_inner().application.context("no application")?;
                ensure!(found.application_id == application_id, "it is another one");
                Ok(())
            }
        }
    })
    .await
}

async fn list(installation: &Installation) -> Result<load::Load> {
    let client = installation.client()?;
    load::run(CALLERS, WARM_UP, DURATION, |caller| {
        let client = client.clone();
        move |count: u64| {
            let mut client = client.clone();
            async move {
                let request = first_page(caller as u64 + count * 7);
                let answer = client.list_applications(request.clone()).await?;
                let found = answer.into_inner().applications.len();
                ensure!(found > 0, "nothing is found by {request:?}");
                Ok(())
            }
        }
    })
    .await
}

/// First pages as people ask for them, with and without conditions.
fn first_page(number: u64) -> ListApplicationsRequest {
    let filter = match number % 8 {
        0 => String::new(),
        1 => format!("workflow = \"workflow-{}\"", number * 13 % 5000),
        2 => format!("owner = \"owner-{}\" AND state = FAILED", number % 200),
        3 => format!("project = \"team-{}\"", number * number % 50),
        4 => "state = RUNNING OR state = SUBMITTED".to_owned(),
        5 => "state = FAILED AND tags.cost = \"7\" OR tags.cost = \"27\"".to_owned(),
        6 => "create_time >= \"2026-10-01T00:00:00Z\" AND cluster = \"cluster-3\"".to_owned(),
        _ => String::new(),
    };
    let states = match number % 8 {
        7 => vec![ApplicationState::Cancelled.into()],
        _ => Vec::new(),
    };
    ListApplicationsRequest {
        filter,
        states,
        ..ListApplicationsRequest::default()
    }
}
