use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;
use moka_core::AttemptName;

use super::*;
use crate::{
    domain::{
        noted::Noted,
        observation::{Container, DriverView, ObjectView, Owner},
        submission::tests::id,
    },
    launcher::Sighting,
    workers::inbox::{Receiver, inbox},
};

const NOBODY: [u32; 0] = [];

struct Cluster {
    live: LiveAttempts,
    memory: ClusterMemory,
    to_examine: Receiver,
    to_end: Receiver,
}

impl Cluster {
    fn new() -> Self {
        let patience = Patience {
            driver_appearance: SignedDuration::from_secs(30),
            image_pull: SignedDuration::from_secs(300),
        };
        let (examine, to_examine) = inbox();
        let (end, to_end) = inbox();
        let live = LiveAttempts::default();
        let memory = live.of("local", patience, examine, end);
        memory.lock().begin();
        Self {
            live,
            memory,
            to_examine,
            to_end,
        }
    }

    /// Everything was listed, and nothing is there.
    async fn empty() -> Self {
        let mut cluster = Self::new();
        cluster.saw(Sighting::Objects(Vec::new()));
        cluster.saw(Sighting::Drivers(Vec::new()));
        cluster.memory.lock().listed(&BTreeSet::new(), now());
        assert_eq!(cluster.examined().await, NOBODY);
        cluster
    }

    fn saw(&self, sighting: Sighting) {
        self.memory.lock().saw(sighting, now());
    }

    async fn examined(&mut self) -> Vec<u32> {
        named(&mut self.to_examine).await
    }

    async fn ended(&mut self) -> Vec<u32> {
        named(&mut self.to_end).await
    }
}

/// Numbers of the attempts that are due now.
async fn named(inbox: &mut Receiver) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Ok(name) = tokio::time::timeout(Duration::from_millis(1), inbox.next()).await {
        numbers.push(name.number);
    }
    numbers
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn name(number: u32) -> AttemptName {
    AttemptName::new(id(), number)
}

fn object(state: &str) -> ObjectView {
    ObjectView {
        uid: "uid-1".to_owned(),
        owner: Owner::Attempt,
        create_time: Some(now() - SignedDuration::from_secs(7)),
        delete_time: None,
        has_finalizer: true,
        state: state.to_owned(),
        error_message: String::new(),
        spark_application_id: None,
    }
}

fn driver(container: Container) -> DriverView {
    DriverView {
        uid: "pod-1".to_owned(),
        create_time: Some(now()),
        delete_time: None,
        has_finalizer: true,
        is_bound: true,
        phase: "Running".to_owned(),
        reason: String::new(),
        message: String::new(),
        disruption: None,
        spark_application_id: Some("spark-1".to_owned()),
        container,
    }
}

fn runs() -> Container {
    Container::Running {
        start_time: Some(now()),
    }
}

fn all_noted() -> Noted {
    Noted {
        uid: Some("uid-1".into()),
        has_driver: true,
        has_started: true,
        is_ending: false,
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_judged_before_all_three_sources_are_listed() {
    let mut cluster = Cluster::new();
    cluster.memory.lock().is_live(name(1), all_noted());
    cluster.memory.lock().is_live(name(2), all_noted());
    cluster
        .memory
        .lock()
        .listed(&[name(1), name(2)].into(), now());
    cluster.saw(Sighting::Objects(vec![(name(1), object("RUNNING"))]));
    assert_eq!(cluster.examined().await, NOBODY);
    cluster.saw(Sighting::Drivers(vec![(name(1), driver(runs()))]));
    // The second has neither object nor driver any more.
    assert_eq!(cluster.examined().await, [2]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_which_nothing_follows_names_nobody() {
    let mut cluster = Cluster::empty().await;
    cluster.memory.lock().is_live(name(1), all_noted());
    cluster.saw(Sighting::Driver(name(1), Some(driver(runs()))));
    cluster.saw(Sighting::Object(name(1), Some(object("RUNNING"))));
    cluster.saw(Sighting::Object(name(1), Some(object("SUCCEEDING"))));
    assert_eq!(
        cluster.examined().await,
        [1],
        "an object was missing at first"
    );
    cluster.memory.lock().take(name(1));
    cluster.saw(Sighting::Object(name(1), Some(object("RUNNING"))));
    assert_eq!(cluster.examined().await, NOBODY);
    cluster.saw(Sighting::Driver(name(1), None));
    assert_eq!(cluster.examined().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_relist_finds_what_is_gone() {
    let mut cluster = Cluster::empty().await;
    cluster.memory.lock().is_live(name(1), all_noted());
    cluster.saw(Sighting::Object(name(1), Some(object("RUNNING"))));
    cluster.saw(Sighting::Driver(name(1), Some(driver(runs()))));
    cluster.examined().await;
    cluster.saw(Sighting::Drivers(Vec::new()));
    assert_eq!(cluster.examined().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn the_creator_has_time_to_tell_the_uid() {
    let mut cluster = Cluster::empty().await;
    cluster.saw(Sighting::Object(name(1), Some(object(""))));
    assert_eq!(cluster.examined().await, NOBODY);
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(cluster.examined().await, [1]);
    // The operator was faster than its creator.
    cluster.saw(Sighting::Object(name(2), Some(object("SUBMITTED"))));
    assert_eq!(cluster.examined().await, [2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_being_ended_is_the_ending_lanes() {
    let mut cluster = Cluster::empty().await;
    let noted = Noted {
        is_ending: true,
        ..all_noted()
    };
    cluster.memory.lock().is_live(name(1), noted);
    assert_eq!(cluster.ended().await, [1]);
    cluster.saw(Sighting::Driver(name(1), Some(driver(runs()))));
    assert_eq!(cluster.ended().await, [1]);
    assert_eq!(cluster.examined().await, NOBODY);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_over_is_remembered_until_it_is_cleaned_up() {
    let mut cluster = Cluster::empty().await;
    cluster.memory.lock().is_live(name(1), all_noted());
    cluster.saw(Sighting::Object(name(1), Some(object("RUNNING"))));
    cluster.saw(Sighting::Driver(name(1), Some(driver(runs()))));
    cluster.examined().await;
    cluster.memory.lock().is_over(name(1), Some("uid-1"));
    let ended = Container::Terminated {
        exit_code: 0,
        reason: String::new(),
        message: String::new(),
        start_time: None,
        end_time: None,
    };
    cluster.saw(Sighting::Driver(name(1), Some(driver(ended.clone()))));
    cluster.saw(Sighting::Object(name(1), Some(object("COMPLETED"))));
    assert_eq!(cluster.examined().await, NOBODY);
    assert_eq!(cluster.live.count(), 1);
    let released = DriverView {
        has_finalizer: false,
        ..driver(ended)
    };
    cluster.saw(Sighting::Driver(name(1), Some(released)));
    let released = ObjectView {
        has_finalizer: false,
        ..object("COMPLETED")
    };
    cluster.saw(Sighting::Object(name(1), Some(released)));
    assert_eq!(cluster.live.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn another_object_or_a_driver_of_an_attempt_that_is_over_is_looked_at() {
    let mut cluster = Cluster::empty().await;
    cluster.memory.lock().is_live(name(1), all_noted());
    cluster.saw(Sighting::Object(name(1), Some(object("RUNNING"))));
    cluster.examined().await;
    cluster.memory.lock().is_over(name(1), Some("uid-1"));
    let another = ObjectView {
        uid: "uid-2".to_owned(),
        ..object("")
    };
    cluster.saw(Sighting::Object(name(1), Some(another)));
    assert_eq!(cluster.examined().await, [1]);
    cluster.saw(Sighting::Driver(name(1), Some(driver(runs()))));
    assert_eq!(cluster.examined().await, [1]);
}

#[tokio::test(start_paused = true)]
async fn the_backlog_is_what_the_operator_has_not_looked_at() {
    let cluster = Cluster::new();
    assert_eq!(cluster.live.backlog("local"), None);
    assert_eq!(cluster.live.backlog("elsewhere"), None);
    cluster.saw(Sighting::Objects(vec![
        (name(1), object("")),
        (name(2), object("RUNNING")),
    ]));
    let backlog = cluster.live.backlog("local").unwrap();
    assert_eq!(backlog.objects, 1);
    assert_eq!(backlog.oldest_create_time, object("").create_time);
    cluster.saw(Sighting::Object(name(1), Some(object("SUBMITTED"))));
    assert_eq!(cluster.live.backlog("local"), Some(Backlog::default()));
    cluster.memory.lock().clear();
    assert_eq!(cluster.live.backlog("local"), None);
}
