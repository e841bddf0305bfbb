//! Pages of applications.
//!
//! A page is read along an index that gives its order. A filter that few rows pass would read a
//! long way for one page, so such a page is read window by window, and ends where its time is over:
//! it is then short, or empty, and its successor goes on behind the last row that was looked at.

pub(in crate::store) mod plan;

use std::time::Duration;

use moka_db::{Connection, DatabaseKind};
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use super::{
    SqlStore,
    filter::{Parameters, condition},
    rows::{self, APPLICATION},
};
use crate::{
    domain::{
        application::Application,
        filter::{Filter, TextField, TextTest},
        state::ApplicationState,
    },
    store::{ListQuery, Listed, Order, Position, Result},
};

/// No further window begins after this much time.
const BUDGET: Duration = Duration::from_secs(2);
/// Rows of the first window, and of the largest.
const WINDOWS: (u32, u32) = (2_000, 32_000);

pub(super) async fn list(store: &SqlStore, query: &ListQuery) -> Result<Listed> {
    let kind = store.database.kind();
    store
        .database
        .read("list_applications", async |mut tx| {
            Walk::new(kind, query).run(&mut tx).await
        })
        .await
}

/// Along what rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
    /// The few live ones, sorted afterwards.
    Live,
    /// An index that begins with a column of which one value is wanted, which is not empty.
    Column(&'static str, String),
    /// All of them.
    Order,
}

impl Path {
    /// The best one for a filter: from the column with the most values to that with the fewest.
    fn of(filter: &[&Filter], order: Order) -> Self {
        let one = |wanted: &TextField| {
            filter.iter().find_map(|filter| match filter {
                Filter::Text(field, TextTest::Is(value)) if field == wanted => {
                    Some(value.clone()).filter(|value| !value.is_empty())
                }
                _ => None,
            })
        };
        if let Some(id) = one(&TextField::ApplicationId) {
            return Self::Column("application_id", id);
        }
        let is_by_id = order.is_by_id();
        for (field, column) in [
            (TextField::Workflow, "workflow"),
            (TextField::Owner, "owner"),
        ] {
            if let (true, Some(value)) = (is_by_id, one(&field)) {
                return Self::Column(column, value);
            }
        }
        if filter.iter().any(|filter| is_live(filter)) {
            return Self::Live;
        }
        for (field, column) in [(TextField::Project, "project"), (TextField::State, "state")] {
            if let (true, Some(value)) = (is_by_id, one(&field)) {
                return Self::Column(column, value);
            }
        }
        Self::Order
    }

    /// What an index of set values only takes as its condition: SQLite does not conclude it from
    /// the value.
    fn is_set(&self) -> Option<String> {
        match self {
            Self::Column(column @ ("workflow" | "owner"), _) => Some(format!("{column} <> ''")),
            _ => None,
        }
    }
}

/// Whether a filter names live states only.
fn is_live(filter: &Filter) -> bool {
    match filter {
        Filter::Text(TextField::State, TextTest::Is(name)) => name
            .parse::<ApplicationState>()
            .is_ok_and(|state| !state.is_final()),
        Filter::Any(any) => any.iter().all(is_live),
        _ => false,
    }
}

struct Walk {
    kind: DatabaseKind,
    filter: Vec<Filter>,
    path: Path,
    order: Order,
    after: Option<Position>,
    limit: usize,
    found: Vec<Application>,
}

impl Walk {
    fn new(kind: DatabaseKind, query: &ListQuery) -> Self {
        let ListQuery {
            projects,
            states,
            filter,
            order,
            after,
            limit,
        } = query;
        let projects = projects.iter().cloned();
        let states = states.iter().map(|state| state.as_str().to_owned());
        let filter: Vec<_> = [
            any_of(&TextField::Project, projects),
            any_of(&TextField::State, states),
            filter.clone(),
        ]
        .into_iter()
        .flatten()
        .collect();
        let conjuncts: Vec<_> = filter.iter().flat_map(Filter::conjuncts).collect();
        Self {
            kind,
            path: Path::of(&conjuncts, *order),
            filter,
            order: *order,
            after: after.clone(),
            limit: usize::try_from(*limit).unwrap_or(usize::MAX),
            found: Vec::new(),
        }
    }

    async fn run(mut self, tx: &mut Connection) -> Result<Listed> {
        let deadline = Instant::now() + BUDGET;
        let (mut window, largest) = WINDOWS;
        // Without a filter every row counts, and the live ones are few.
        let is_windowed = !self.filter.is_empty() && self.path != Path::Live;
        loop {
            let end = if is_windowed {
                self.end_of_window(tx, window).await?
            } else {
                None
            };
            let page = self.select(tx, end.as_ref()).await?;
            self.found.extend(page);
            if self.found.len() > self.limit {
                self.found.truncate(self.limit);
                let next = self.found.last().map(Position::of);
                return Ok(self.listed(next));
            }
            match end {
                None => return Ok(self.listed(None)),
                Some(end) if Instant::now() >= deadline => return Ok(self.listed(Some(end))),
                Some(end) => self.after = Some(end),
            }
            window = (window * 4).min(largest);
        }
    }

    fn listed(self, next: Option<Position>) -> Listed {
        Listed {
            applications: self.found,
            next,
        }
    }

    /// The last row of the next window; `None` when fewer rows are left.
    async fn end_of_window(&self, tx: &mut Connection, window: u32) -> Result<Option<Position>> {
        let (sql, parameters) = self.window_statement(window);
        let row = parameters
            .bind(sqlx::query(AssertSqlSafe(sql)))
            .fetch_optional(tx)
            .await
            .map_err(moka_db::Error::from)?;
        row.map(|row| {
            Ok(Position {
                id: rows::parse(&row, "application_id")?,
                update_time: rows::time(rows::get(&row, "update_time")?),
            })
        })
        .transpose()
    }

    fn window_statement(&self, window: u32) -> (String, Parameters) {
        let mut parameters = Parameters::default();
        let mut conditions = vec!["1 = 1".to_owned()];
        if let Path::Column(column, value) = &self.path {
            conditions.push(format!("{column} = {}", parameters.text(value)));
        }
        conditions.extend(self.path.is_set());
        conditions.extend(self.beyond(&mut parameters));
        // An index answers alone when it need not say more than the order.
        let update_time = if self.order.is_by_id() {
            "CAST(0 AS BIGINT) AS update_time"
        } else {
            "update_time"
        };
        let sql = format!(
            "SELECT application_id, {update_time} FROM applications WHERE {} {} LIMIT 1 OFFSET {}",
            conditions.join(" AND "),
            self.order_by(),
            window - 1
        );
        (sql, parameters)
    }

    /// What passes the filter up to the end of the window, and one more than is wanted.
    async fn select(
        &self,
        tx: &mut Connection,
        end: Option<&Position>,
    ) -> Result<Vec<Application>> {
        let (sql, parameters) = self.page_statement(end);
        let rows = parameters
            .bind(sqlx::query(AssertSqlSafe(sql)))
            .fetch_all(&mut *tx)
            .await
            .map_err(moka_db::Error::from)?;
        rows::applications(tx, self.kind, rows).await
    }

    fn page_statement(&self, end: Option<&Position>) -> (String, Parameters) {
        let mut parameters = Parameters::default();
        let mut conditions: Vec<_> = self
            .filter
            .iter()
            .map(|filter| condition(self.kind, filter, &mut parameters))
            .collect();
        conditions.extend(self.path.is_set());
        conditions.extend(self.beyond(&mut parameters));
        if let Some(end) = end {
            conditions.push(self.compare(self.order.signs().1, end, &mut parameters));
        }
        if conditions.is_empty() {
            conditions.push("1 = 1".to_owned());
        }
        let (conditions, order) = (conditions.join(" AND "), self.order_by());
        let limit = self.limit + 1 - self.found.len();
        let sql = match self.path {
            // What is sorted should be small, so whole rows are read afterwards.
            Path::Live => format!(
                "SELECT {APPLICATION} FROM applications WHERE application_id IN \
                 (SELECT application_id FROM applications WHERE {conditions} {order} \
                 LIMIT {limit}) {order}"
            ),
            Path::Column(..) | Path::Order => format!(
                "SELECT {APPLICATION} FROM applications WHERE {conditions} {order} LIMIT {limit}"
            ),
        };
        (sql, parameters)
    }

    fn beyond(&self, parameters: &mut Parameters) -> Option<String> {
        let after = self.after.as_ref()?;
        Some(self.compare(self.order.signs().0, after, parameters))
    }

    fn compare(&self, sign: &str, position: &Position, parameters: &mut Parameters) -> String {
        let id = parameters.text(position.id.to_string());
        if self.order.is_by_id() {
            return format!("application_id {sign} {id}");
        }
        let time = parameters.big_int(position.update_time.as_microsecond());
        format!("(update_time, application_id) {sign} ({time}, {id})")
    }

    fn order_by(&self) -> String {
        let direction = self.order.direction();
        match (self.order.is_by_id(), self.path == Path::Live) {
            (true, false) => format!("ORDER BY application_id {direction}"),
            (false, false) => {
                format!("ORDER BY update_time {direction}, application_id {direction}")
            }
            // Expressions that no index gives: otherwise one might be walked to its far end.
            (true, true) => format!("ORDER BY application_id || '' {direction}"),
            (false, true) => {
                format!("ORDER BY update_time + 0 {direction}, application_id {direction}")
            }
        }
    }
}

fn any_of(field: &TextField, values: impl Iterator<Item = String>) -> Option<Filter> {
    let mut any: Vec<_> = values
        .map(|value| Filter::Text(field.clone(), TextTest::Is(value)))
        .collect();
    match any.len() {
        0 | 1 => any.pop(),
        _ => Some(Filter::Any(any)),
    }
}

impl Order {
    fn is_by_id(self) -> bool {
        matches!(self, Self::NewestFirst | Self::OldestFirst)
    }

    fn direction(self) -> &'static str {
        match self {
            Self::NewestFirst | Self::LastChangedFirst => "DESC",
            Self::OldestFirst | Self::LastChangedLast => "ASC",
        }
    }

    /// Behind a row, and up to a row.
    fn signs(self) -> (&'static str, &'static str) {
        match self {
            Self::NewestFirst | Self::LastChangedFirst => ("<", ">="),
            Self::OldestFirst | Self::LastChangedLast => (">", "<="),
        }
    }
}
