//! What a search asks for.

use moka_core::{ApplicationId, PublicError};
use moka_proto::logs::v1::{AttemptScope, SearchLogRequest, search_log_request};
use moka_rpc::{Fingerprint, Page, Violations};

use super::stream::stream;
use crate::{
    domain::{
        hits::Context,
        pattern::{Pattern, PatternError},
    },
    serving::{SearchRequest, SearchScope},
};

const MAX_CONTEXT_LINES: i32 = 50;

/// A request to search.
#[derive(Debug, Clone)]
pub(in crate::api) struct Search {
    pub(in crate::api) request: SearchRequest,
    pub(in crate::api) page: Page,
}

pub(in crate::api) fn search(request: SearchLogRequest) -> Result<Search, PublicError> {
    let (page_size, page_token) = (request.page_size, request.page_token.clone());
    let bare = SearchLogRequest {
        page_size: 0,
        page_token: String::new(),
        ..request.clone()
    };
    let mut violations = Violations::new();
    let context = Context {
        before: context_lines(&mut violations, "lines_before", request.lines_before),
        after: context_lines(&mut violations, "lines_after", request.lines_after),
    };
    let pattern = pattern(&mut violations, request.pattern, request.ignore_case);
    let scope = scope(violations, request.scope)?;
    let Some(pattern) = pattern else {
        return Err(PublicError::invalid(Vec::new()));
    };
    let page = Page::parse(page_size, &page_token, Fingerprint::of(&bare))?;
    let maximum_hits = usize::try_from(page.size).unwrap_or(usize::MAX);
    Ok(Search {
        request: SearchRequest {
            scope,
            pattern,
            context,
            maximum_hits,
        },
        page,
    })
}

fn context_lines(violations: &mut Violations, field: &str, lines: i32) -> usize {
    violations.range(field, &lines, &(0..=MAX_CONTEXT_LINES));
    usize::try_from(lines).unwrap_or_default()
}

fn pattern(
    violations: &mut Violations,
    pattern: Option<search_log_request::Pattern>,
    ignore_case: bool,
) -> Option<Pattern> {
    let (field, parsed): (_, Result<Pattern, PatternError>) = match pattern {
        None => {
            violations.add("pattern", "must be set: a literal or a regex");
            return None;
        }
        Some(search_log_request::Pattern::Literal(text)) => {
            ("literal", Pattern::literal(&text, ignore_case))
        }
        Some(search_log_request::Pattern::Regex(expression)) => {
            ("regex", Pattern::regex(&expression, ignore_case))
        }
    };
    if let Err(error) = &parsed {
        violations.add(field, error.to_string());
    }
    parsed.ok()
}

fn scope(
    mut violations: Violations,
    scope: Option<search_log_request::Scope>,
) -> Result<SearchScope, PublicError> {
    let parsed = match scope {
        None => {
            violations.add(
                "scope",
                "must be set: a stream, an attempt or an application",
            );
            None
        }
        Some(search_log_request::Scope::Stream(name)) => {
            return Ok(SearchScope::Stream(stream(violations, Some(name))?));
        }
        Some(search_log_request::Scope::Attempt(AttemptScope {
            application_id,
            attempt_number,
        })) => {
            let number = u32::try_from(attempt_number);
            if number.is_err() {
                violations.add(
                    "attempt.attempt_number",
                    "must be 0 or more; 0 means the last one that has logs",
                );
            }
            id(&mut violations, "attempt.application_id", &application_id)
                .map(|id| SearchScope::Attempt(id, number.ok().filter(|number| *number > 0)))
        }
        Some(search_log_request::Scope::ApplicationId(text)) => {
            id(&mut violations, "application_id", &text).map(SearchScope::Application)
        }
    };
    violations.into_result()?;
    parsed.ok_or_else(|| PublicError::invalid(Vec::new()))
}

pub(super) fn id(violations: &mut Violations, field: &str, text: &str) -> Option<ApplicationId> {
    let id = text.parse::<ApplicationId>();
    if let Err(error) = &id {
        violations.add(field, error.to_string());
    }
    id.ok()
}

#[cfg(test)]
mod tests {
    use moka_core::ErrorReason;
    use moka_proto::logs::v1::LogStreamName;
    use search_log_request::{Pattern as WirePattern, Scope};

    use super::*;

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    fn request() -> SearchLogRequest {
        SearchLogRequest {
            scope: Some(Scope::ApplicationId(ID.to_owned())),
            pattern: Some(WirePattern::Literal("x".to_owned())),
            ..Default::default()
        }
    }

    fn fields(request: SearchLogRequest) -> Vec<String> {
        let error = search(request).unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidField);
        let fields = error.violations.into_iter();
        fields.map(|violation| violation.field).collect()
    }

    #[test]
    fn every_field_at_fault_is_named() {
        assert_eq!(fields(SearchLogRequest::default()), ["pattern", "scope"]);
        let attempt = AttemptScope {
            application_id: "m".to_owned(),
            attempt_number: -1,
        };
        let wrong = SearchLogRequest {
            scope: Some(Scope::Attempt(attempt)),
            pattern: Some(WirePattern::Regex("(".to_owned())),
            lines_before: -1,
            lines_after: 51,
            ..Default::default()
        };
        assert_eq!(
            fields(wrong),
            [
                "lines_before",
                "lines_after",
                "regex",
                "attempt.attempt_number",
                "attempt.application_id"
            ]
        );
        let empty = SearchLogRequest {
            scope: Some(Scope::Stream(LogStreamName::default())),
            pattern: Some(WirePattern::Literal(String::new())),
            ..Default::default()
        };
        assert_eq!(
            fields(empty),
            ["literal", "stream.application_id", "stream.source"]
        );
        let size = SearchLogRequest {
            page_size: -1,
            ..request()
        };
        assert_eq!(fields(size), ["page_size"]);
    }

    #[test]
    fn limits_hold_at_their_ends() {
        let most = SearchLogRequest {
            lines_before: 50,
            lines_after: 50,
            ..request()
        };
        let context = search(most).unwrap().request.context;
        assert_eq!((context.before, context.after), (50, 50));
        for (asked, hits) in [(0, 50), (1, 1), (1_000, 1_000), (1_001, 1_000)] {
            let request = SearchLogRequest {
                page_size: asked,
                ..request()
            };
            assert_eq!(search(request).unwrap().request.maximum_hits, hits);
        }
    }

    #[test]
    fn token_of_another_search_is_refused_but_the_page_size_may_change() {
        let token = search(request()).unwrap().page.token_after("here");
        let next = SearchLogRequest {
            page_size: 7,
            page_token: token,
            ..request()
        };
        assert_eq!(
            search(next.clone()).unwrap().page.after.as_deref(),
            Some("here")
        );
        let other = SearchLogRequest {
            ignore_case: true,
            ..next
        };
        assert_eq!(
            search(other).unwrap_err().reason,
            ErrorReason::InvalidPageToken
        );
    }
}
