//! The protocol keeps its invariants, and the search would notice if it did not.

use moka_tests_model::{Search, Variant, explore};

fn told(search: &Search) -> String {
    let Search {
        worlds,
        transitions,
        depth,
        counterexample,
    } = search;
    let size = format!("{worlds} states, {transitions} transitions, depth {depth}");
    match counterexample {
        None => format!("{size}: every invariant holds"),
        Some(found) => format!(
            "{size}: broken is \"{}\", after\n  {}\n{:#?}",
            found.invariant,
            found.steps.join("\n  "),
            found.world
        ),
    }
}

#[test]
fn the_protocol_keeps_every_invariant_in_every_order_of_steps() {
    let search = explore(Variant::Protocol);
    println!("{}", told(&search));
    assert!(search.counterexample.is_none(), "{}", told(&search));
}

#[test]
fn each_way_to_break_the_protocol_is_found() {
    for variant in Variant::BROKEN {
        let search = explore(variant);
        let found = search.counterexample.as_ref();
        let found = found.unwrap_or_else(|| panic!("{variant:?} is not found: {}", told(&search)));
        println!(
            "{variant:?}: \"{}\" after {} steps, {} states",
            found.invariant,
            found.steps.len() - 1,
            search.worlds
        );
    }
}
