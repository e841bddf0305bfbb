//! Lists as streams.

use std::collections::VecDeque;

use futures::{Stream, stream};
use moka_core::PublicError;
use moka_proto::submission::v1::{Application, ListApplicationsRequest};

use crate::{Client, retry::repeatedly};

impl Client {
    /// Every application that matches, page after page as they are asked for; `page_size` is that
    /// of a page, and `page_token` where to begin. Ends after the first error.
    pub fn list(
        &self,
        request: ListApplicationsRequest,
    ) -> impl Stream<Item = Result<Application, PublicError>> + Send + use<> {
        let pages = Pages {
            client: self.clone(),
            next: Some(request),
            ready: VecDeque::new(),
        };
        stream::try_unfold(pages, |mut pages| async move {
            let next = pages.next().await?;
            Ok(next.map(|application| (application, pages)))
        })
    }
}

struct Pages {
    client: Client,
    /// What to ask next; `None` after the last page.
    next: Option<ListApplicationsRequest>,
    ready: VecDeque<Application>,
}

impl Pages {
    async fn next(&mut self) -> Result<Option<Application>, PublicError> {
        loop {
            if let Some(application) = self.ready.pop_front() {
                return Ok(Some(application));
            }
            let Some(request) = self.next.take() else {
                return Ok(None);
            };
            let answer = repeatedly(&self.client.options, || {
                let (mut stub, request) = (self.client.stub(), request.clone());
                async move { stub.list_applications(request).await }
            });
            let page = answer.await?;
            self.ready.extend(page.applications);
            if !page.next_page_token.is_empty() {
                self.next = Some(ListApplicationsRequest {
                    page_token: page.next_page_token,
                    ..request
                });
            }
        }
    }
}
