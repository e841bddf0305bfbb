use proptest::prelude::*;

use super::*;
use crate::domain::{spec::Tier, state::ApplicationState};

fn value() -> impl Strategy<Value = String> {
    "[ -~äß]{1,12}"
}

fn text_condition() -> impl Strategy<Value = Filter> {
    let state = prop::sample::select(&ApplicationState::ALL[..]).prop_map(|state| {
        let field = TextField::State;
        (field, state.as_str().to_owned())
    });
    let tier = prop::sample::select(&Tier::ALL[..])
        .prop_map(|tier| (TextField::Tier, tier.as_str().to_owned()));
    let free = prop::sample::select(vec![
        TextField::Project,
        TextField::Owner,
        TextField::Workflow,
        TextField::Run,
        TextField::Queue,
        TextField::Cluster,
        TextField::DisplayName,
    ]);
    let tag = value().prop_map(TextField::Tag);
    let free = (prop_oneof![free, tag], value());
    (prop_oneof![state, tier, free], 0..3).prop_map(|((field, value), test)| {
        let test = match test {
            0 => TextTest::Is(value),
            1 => TextTest::IsNot(value),
            _ => TextTest::IsSet,
        };
        Filter::Text(field, test)
    })
}

fn time_condition() -> impl Strategy<Value = Filter> {
    let field = prop::sample::select(vec![
        TimeField::CreateTime,
        TimeField::UpdateTime,
        TimeField::EndTime,
    ]);
    let comparison = prop::sample::select(vec![
        TimeComparison::Is,
        TimeComparison::IsNot,
        TimeComparison::Before,
        TimeComparison::BeforeOrAt,
        TimeComparison::After,
        TimeComparison::AfterOrAt,
    ]);
    let microseconds = 0..2_000_000_000_000_000_i64;
    (field, prop::option::of((comparison, microseconds))).prop_map(|(field, compared)| {
        let test = match compared {
            Some((comparison, microseconds)) => {
                let time = Timestamp::from_microsecond(microseconds).unwrap();
                TimeTest::Compares(comparison, time)
            }
            None => TimeTest::IsSet,
        };
        Filter::Time(field, test)
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![text_condition(), time_condition()];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::All),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(filter in filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= MOST_BYTES);
        prop_assert_eq!(parse(&text), Ok(Some(filter)));
    }

    #[test]
    fn no_text_breaks_the_parser(text in ".{0,200}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.position <= text.len());
        }
    }

    #[test]
    fn no_order_of_words_breaks_the_parser(words in prop::collection::vec(prop::sample::select(vec![
        "AND", "OR", "NOT", "(", ")", "=", "!=", "<=", ":", "*", ".", "tags", "state", "owner",
        "create_time", "\"a\"", "FAILED", "'", "\"2026-11-01T00:00:00Z\"",
    ]), 0..20)) {
        let text = words.join(" ");
        if let Ok(Some(filter)) = parse(&text) {
            prop_assert_eq!(parse(&filter.to_string()), Ok(Some(filter)));
        }
    }
}

#[test]
fn filters_are_read_as_people_write_them() {
    let owner = |value: &str| Filter::Text(TextField::Owner, TextTest::Is(value.to_owned()));
    for (text, expected) in [
        ("owner = a", owner("a")),
        (" owner='a b' ", owner("a b")),
        (r#"owner = "a \"b\" \\""#, owner(r#"a "b" \"#)),
        (
            "owner = a AND owner = b OR owner = c",
            Filter::All(vec![owner("a"), Filter::Any(vec![owner("b"), owner("c")])]),
        ),
        (
            "NOT (owner = a AND owner = b)",
            Filter::Not(Box::new(Filter::All(vec![owner("a"), owner("b")]))),
        ),
        (
            "tags.cost-centre != x",
            Filter::Text(
                TextField::Tag("cost-centre".to_owned()),
                TextTest::IsNot("x".to_owned()),
            ),
        ),
        (
            "tags.\"a.b\":*",
            Filter::Text(TextField::Tag("a.b".to_owned()), TextTest::IsSet),
        ),
        (
            "end_time:*",
            Filter::Time(TimeField::EndTime, TimeTest::IsSet),
        ),
        (
            "create_time >= \"2026-11-01T01:00:00+01:00\"",
            Filter::Time(
                TimeField::CreateTime,
                TimeTest::Compares(
                    TimeComparison::AfterOrAt,
                    "2026-11-01T00:00:00Z".parse().unwrap(),
                ),
            ),
        ),
    ] {
        assert_eq!(parse(text), Ok(Some(expected)), "{text}");
    }
    assert_eq!(parse(" "), Ok(None));
}

#[test]
fn a_filter_of_the_greatest_depth_reads_back_from_its_print() {
    let open = "(".repeat(MOST_DEPTH - 1);
    let close = " AND run = d)".repeat(MOST_DEPTH - 1);
    let deep = format!("{open}run = a AND NOT run = b OR run = c{close}");
    let filter = parse(&deep).unwrap();
    let printed = filter.as_ref().map(Filter::to_string).unwrap();
    assert_eq!(parse(&printed), Ok(filter), "{printed}");
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, position, part) in [
        ("owner", 5, "expected =, != or :*"),
        ("owner = ", 8, "expected a value"),
        ("owner = a owner = b", 10, "expected AND, OR or the end"),
        ("colour = red", 0, "there is no field colour"),
        ("state = DONE", 8, "a state is one of QUEUED"),
        ("tier = gold", 7, "a tier is one of TIER_1"),
        ("application_id = x", 17, ""),
        ("owner < a", 6, "expected =, != or :*"),
        ("owner:a", 6, "only `:*`"),
        ("owner = \"\"", 8, "must not be empty"),
        ("owner = \"a", 8, "the quote is not closed"),
        ("owner = \"a\u{7}\"", 10, "control characters"),
        ("owner = a & b", 10, "'&' has no meaning here"),
        ("create_time > 2026-11-01T00:00:00Z", 14, "with quotes"),
        ("(owner = a", 10, "expected AND, OR or )"),
        ("tags = a", 5, "the name of a tag"),
        ("NOT", 3, "expected a field"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.position, position, "{text}: {error}");
        assert!(error.problem.contains(part), "{text}: {error}");
    }
}

#[test]
fn filters_have_limits() {
    let comparisons = |count: usize| vec!["run=a"; count].join(" OR ");
    assert!(parse(&comparisons(MOST_COMPARISONS)).is_ok());
    let error = parse(&comparisons(MOST_COMPARISONS + 1)).unwrap_err();
    assert!(error.problem.contains("32 comparisons"), "{error}");

    let deep = |count: usize| format!("{}run=a{}", "(".repeat(count), ")".repeat(count));
    assert!(parse(&deep(MOST_DEPTH)).is_ok());
    let error = parse(&deep(MOST_DEPTH + 1)).unwrap_err();
    assert_eq!(error.position, MOST_DEPTH, "{error}");
    assert!(parse(&format!("{}run=a", "NOT ".repeat(MOST_DEPTH + 1))).is_err());

    let long = |bytes: usize| format!("run=\"{}\"", "x".repeat(bytes - 6));
    assert!(parse(&long(MOST_BYTES)).is_ok());
    assert_eq!(
        parse(&long(MOST_BYTES + 1)).unwrap_err().position,
        MOST_BYTES
    );
}
