//! `ProjectService`.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    self as wire, DeleteProjectRequest, DeleteProjectResponse, GetProjectRequest,
    GetProjectResponse, ListProjectsRequest, ListProjectsResponse, UpdateProjectRequest,
    UpdateProjectResponse, project_service_server::ProjectService,
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
use crate::domain::rules::{self, Project};

/// What an update may name.
const FIELDS: [&str; 2] = ["defaults", "policy"];

#[tonic::async_trait]
impl ProjectService for FleetApi {
    async fn get_project(
        &self,
        request: Request<GetProjectRequest>,
    ) -> Result<Response<GetProjectResponse>, Status> {
        answer(get(self, request.get_ref()).await)
    }

    async fn list_projects(
        &self,
        request: Request<ListProjectsRequest>,
    ) -> Result<Response<ListProjectsResponse>, Status> {
        answer(list(self, request.into_inner()).await)
    }

    async fn update_project(
        &self,
        request: Request<UpdateProjectRequest>,
    ) -> Result<Response<UpdateProjectResponse>, Status> {
        answer(update(self, request.into_inner()).await)
    }

    async fn delete_project(
        &self,
        request: Request<DeleteProjectRequest>,
    ) -> Result<Response<DeleteProjectResponse>, Status> {
        answer(delete(self, request.get_ref()).await)
    }
}

async fn get(api: &FleetApi, request: &GetProjectRequest) -> Result<GetProjectResponse, Error> {
    check_name(&request.name)?;
    let project = api.store.project(&request.name).await?.ok_or_else(|| {
        let message = format!("project {} has no rules", request.name);
        PublicError::new(ErrorReason::ProjectNotFound, message)
    })?;
    Ok(GetProjectResponse {
        project: Some(convert::project(project)),
    })
}

async fn list(
    api: &FleetApi,
    mut request: ListProjectsRequest,
) -> Result<ListProjectsResponse, Error> {
    let page_size = std::mem::take(&mut request.page_size);
    let page_token = std::mem::take(&mut request.page_token);
    let page = Page::parse(page_size, &page_token, Fingerprint::of(&request))?;
    // One more tells whether there is another page.
    let found = api.store.projects(page.after.as_deref(), page.size + 1);
    let (found, next_page_token) = page.cut(found.await?, |project: &Project| project.name.clone());
    Ok(ListProjectsResponse {
        projects: found.into_iter().map(convert::project).collect(),
        next_page_token,
    })
}

async fn update(
    api: &FleetApi,
    request: UpdateProjectRequest,
) -> Result<UpdateProjectResponse, Error> {
    let mut violations = Violations::new();
    let asked = violations.required("project", request.project.as_ref());
    let asked = asked.cloned().unwrap_or_default();
    violations.dns_label("project.name", &asked.name);
    check_revision(&mut violations, "project.revision", asked.revision);
    let mut mask = paths(request.update_mask.as_ref());
    check_mask(&mut violations, &mask, &FIELDS);
    if mask.is_empty() {
        mask = FIELDS.map(str::to_owned).to_vec();
    }
    violations.into_result()?;
    let project = until_written(asked.revision, || merge(api, &asked, &mask)).await?;
    Ok(UpdateProjectResponse {
        project: Some(convert::project(project)),
    })
}

async fn merge(api: &FleetApi, asked: &wire::Project, mask: &[String]) -> Result<Project, Error> {
    let current = api.store.project(&asked.name).await?;
    let mut merged = current.clone().map(convert::project).unwrap_or_default();
    apply_mask!(mask, asked => merged, [defaults, policy]);
    let mut violations = Violations::new();
    let (defaults, policy) = rules::parse_project(&mut violations, "project", &merged);
    violations.into_result()?;
    // Done already, by this call itself before its answer was lost or by somebody else.
    if let Some(current) = &current
        && current.defaults == defaults
        && current.policy == policy
    {
        return Ok(current.clone());
    }
    let revision = current.map_or(0, |project| project.revision);
    expect_revision(asked.revision, revision)?;
    let store = &api.store;
    Ok(store
        .write_project(&asked.name, &defaults, &policy, revision, ACTOR)
        .await?)
}

async fn delete(
    api: &FleetApi,
    request: &DeleteProjectRequest,
) -> Result<DeleteProjectResponse, Error> {
    check_name(&request.name)?;
    api.store.delete_project(&request.name, ACTOR).await?;
    Ok(DeleteProjectResponse {})
}

fn check_name(name: &str) -> Result<(), PublicError> {
    let mut violations = Violations::new();
    violations.dns_label("name", name);
    violations.into_result()
}
