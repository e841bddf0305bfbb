//! Whether a try of a key may begin.

use moka_core::ApplicationId;

use super::state::ApplicationState;

/// An earlier application of the same project and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sibling {
    /// The application.
    pub id: ApplicationId,
    /// Its try number.
    pub try_number: u32,
    /// Where it stands.
    pub state: ApplicationState,
}

/// What a request with a try number means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This application was made by the same three already.
    Existing(ApplicationId),
    /// A new application.
    New {
        /// That of the next lower try.
        predecessor: Option<ApplicationId>,
    },
    /// The next lower try has not ended.
    PredecessorLive(ApplicationId),
    /// A higher try exists: this one comes out of order and would run beside it.
    Overtaken {
        /// The highest try number.
        highest: u32,
    },
}

/// Decides about try `try_number`, given all applications of its project and key.
pub fn decide(siblings: &[Sibling], try_number: u32) -> Decision {
    if let Some(same) = siblings
        .iter()
        .find(|sibling| sibling.try_number == try_number)
    {
        return Decision::Existing(same.id);
    }
    match siblings.iter().max_by_key(|sibling| sibling.try_number) {
        None => Decision::New { predecessor: None },
        Some(last) if last.try_number > try_number => Decision::Overtaken {
            highest: last.try_number,
        },
        Some(last) if last.state.is_final() => Decision::New {
            predecessor: Some(last.id),
        },
        Some(last) => Decision::PredecessorLive(last.id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::submission::tests::id;

    #[test]
    fn tries_begin_in_order_and_one_at_a_time() {
        let at = |try_number, state| Sibling {
            id: id(),
            try_number,
            state,
        };
        let failed = at(1, ApplicationState::Failed);
        let running = at(1, ApplicationState::Running);
        for (siblings, try_number, expected) in [
            (vec![], 0, Decision::New { predecessor: None }),
            (vec![], 7, Decision::New { predecessor: None }),
            (vec![failed.clone()], 1, Decision::Existing(id())),
            (
                vec![failed.clone()],
                2,
                Decision::New {
                    predecessor: Some(id()),
                },
            ),
            (vec![running], 2, Decision::PredecessorLive(id())),
            (vec![failed], 0, Decision::Overtaken { highest: 1 }),
        ] {
            assert_eq!(decide(&siblings, try_number), expected, "{try_number}");
        }
    }
}
