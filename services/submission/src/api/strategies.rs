//! `StrategyService`.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    self as wire, DeleteStrategyRequest, DeleteStrategyResponse, GetStrategyRequest,
    GetStrategyResponse, ListStrategiesRequest, ListStrategiesResponse, UpdateStrategyRequest,
    UpdateStrategyResponse, strategy_service_server::StrategyService,
};
use moka_rpc::{Fingerprint, Page, Violations};
use tonic::{Request, Response, Status};

use super::{
    Error, FleetApi, answer,
    change::{
        ACTOR, apply_mask, check_mask, check_revision, expect_revision, paths, until_written,
    },
    convert::rules as convert,
};
use crate::domain::rules::{Strategy, StrategySettings, strategy_names};

/// What an update may name.
const FIELDS: [&str; 7] = [
    "clusters",
    "queue",
    "tier",
    "driver",
    "executor",
    "service_level",
    "source",
];
/// Between the two names in a page token: no project has one in its name.
const SEPARATOR: char = '/';

#[tonic::async_trait]
impl StrategyService for FleetApi {
    async fn get_strategy(
        &self,
        request: Request<GetStrategyRequest>,
    ) -> Result<Response<GetStrategyResponse>, Status> {
        answer(get(self, request.get_ref()).await)
    }

    async fn list_strategies(
        &self,
        request: Request<ListStrategiesRequest>,
    ) -> Result<Response<ListStrategiesResponse>, Status> {
        answer(list(self, request.into_inner()).await)
    }

    async fn update_strategy(
        &self,
        request: Request<UpdateStrategyRequest>,
    ) -> Result<Response<UpdateStrategyResponse>, Status> {
        answer(update(self, request.into_inner()).await)
    }

    async fn delete_strategy(
        &self,
        request: Request<DeleteStrategyRequest>,
    ) -> Result<Response<DeleteStrategyResponse>, Status> {
        answer(delete(self, request.get_ref()).await)
    }
}

async fn get(api: &FleetApi, request: &GetStrategyRequest) -> Result<GetStrategyResponse, Error> {
    let GetStrategyRequest { project, workflow } = request;
    check_names(project, workflow)?;
    let found = api.store.strategy(project, workflow).await?;
    let strategy = found.ok_or_else(|| {
        let message = format!("workflow {workflow} of project {project} has no strategy");
        PublicError::new(ErrorReason::StrategyNotFound, message)
    })?;
    Ok(GetStrategyResponse {
        strategy: Some(convert::strategy(strategy)),
    })
}

async fn list(
    api: &FleetApi,
    mut request: ListStrategiesRequest,
) -> Result<ListStrategiesResponse, Error> {
    let page_size = std::mem::take(&mut request.page_size);
    let page_token = std::mem::take(&mut request.page_token);
    let page = Page::parse(page_size, &page_token, Fingerprint::of(&request))?;
    let project = (!request.project.is_empty()).then_some(request.project.as_str());
    if let Some(project) = project {
        let mut violations = Violations::new();
        violations.dns_label("project", project);
        violations.into_result()?;
    }
    let after = match &page.after {
        Some(key) => Some(key.split_once(SEPARATOR).ok_or_else(|| {
            PublicError::new(ErrorReason::InvalidPageToken, "the page token is damaged")
        })?),
        None => None,
    };
    // One more tells whether there is another page.
    let found = api.store.strategies(project, after, page.size + 1).await?;
    let (found, next_page_token) = page.cut(found, |strategy: &Strategy| {
        format!("{}{SEPARATOR}{}", strategy.project, strategy.workflow)
    });
    Ok(ListStrategiesResponse {
        strategies: found.into_iter().map(convert::strategy).collect(),
        next_page_token,
    })
}

async fn update(
    api: &FleetApi,
    request: UpdateStrategyRequest,
) -> Result<UpdateStrategyResponse, Error> {
    let mut violations = Violations::new();
    let asked = violations.required("strategy", request.strategy.as_ref());
    let asked = asked.cloned().unwrap_or_default();
    strategy_names(&mut violations, "strategy", &asked.project, &asked.workflow);
    check_revision(&mut violations, "strategy.revision", asked.revision);
    let mut mask = paths(request.update_mask.as_ref());
    check_mask(&mut violations, &mask, &FIELDS);
    if mask.is_empty() {
        mask = FIELDS.map(str::to_owned).to_vec();
    }
    violations.into_result()?;
    let strategy = until_written(asked.revision, || merge(api, &asked, &mask)).await?;
    Ok(UpdateStrategyResponse {
        strategy: Some(convert::strategy(strategy)),
    })
}

async fn merge(api: &FleetApi, asked: &wire::Strategy, mask: &[String]) -> Result<Strategy, Error> {
    let store = &api.store;
    let current = store.strategy(&asked.project, &asked.workflow).await?;
    let mut merged = current.clone().map(convert::strategy).unwrap_or_default();
    apply_mask!(mask, asked => merged, [
        clusters, queue, tier, driver, executor, service_level, source,
    ]);
    let mut violations = Violations::new();
    let settings = StrategySettings::parse(&mut violations, "strategy", &merged);
    violations.into_result()?;
    // Done already, by this call itself before its answer was lost or by somebody else.
    if let Some(current) = &current
        && current.settings == settings
    {
        return Ok(current.clone());
    }
    let revision = current.map_or(0, |strategy| strategy.revision);
    expect_revision(asked.revision, revision)?;
    let written = store
        .write_strategy(&asked.project, &asked.workflow, &settings, revision, ACTOR)
        .await;
    Ok(written?)
}

async fn delete(
    api: &FleetApi,
    request: &DeleteStrategyRequest,
) -> Result<DeleteStrategyResponse, Error> {
    let DeleteStrategyRequest { project, workflow } = request;
    check_names(project, workflow)?;
    let store = &api.store;
    store.delete_strategy(project, workflow, ACTOR).await?;
    Ok(DeleteStrategyResponse {})
}

fn check_names(project: &str, workflow: &str) -> Result<(), PublicError> {
    let mut violations = Violations::new();
    strategy_names(&mut violations, "", project, workflow);
    violations.into_result()
}
