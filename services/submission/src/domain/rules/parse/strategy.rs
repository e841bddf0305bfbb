//! A workflow's strategy.

use moka_proto::submission::v1 as wire;
use moka_rpc::Violations;

use crate::domain::{
    rules::StrategySettings,
    spec::parse::{
        DEADLINE_SECONDS, IDENTITY_BYTES, Instances, QUEUE_BYTES, at_most, distinct, driver,
        executor, printable, seconds, tier, word_or_nothing,
    },
};

const MOST_CLUSTERS: usize = 100;
const SOURCE_BYTES: usize = 256;

pub(super) fn names(violations: &mut Violations, path: &str, project: &str, workflow: &str) {
    let field = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    violations.dns_label(&field("project"), project);
    let field = field("workflow");
    violations.non_empty(&field, workflow);
    printable(violations, &field, workflow, IDENTITY_BYTES);
}

pub(super) fn parse(
    violations: &mut Violations,
    path: &str,
    strategy: &wire::Strategy,
) -> StrategySettings {
    let field = |name: &str| format!("{path}.{name}");
    let v = violations;
    let clusters = field("clusters");
    at_most(v, &clusters, strategy.clusters.len(), MOST_CLUSTERS);
    for (index, cluster) in strategy.clusters.iter().take(MOST_CLUSTERS).enumerate() {
        v.dns_label(&format!("{clusters}[{index}]"), cluster);
    }
    distinct(v, &clusters, &strategy.clusters);
    word_or_nothing(v, &field("queue"), &strategy.queue, QUEUE_BYTES);
    v.max_length(&field("source"), &strategy.source, SOURCE_BYTES);
    StrategySettings {
        clusters: strategy.clusters.clone(),
        queue: strategy.queue.clone(),
        tier: tier(v, &field("tier"), strategy.tier),
        driver: (strategy.driver.as_ref()).map(|pod| driver(v, &field("driver"), pod)),
        executor: (strategy.executor.as_ref())
            .map(|pods| executor(v, &field("executor"), pods, Instances::Fixed)),
        service_level_seconds: seconds(
            v,
            &field("service_level"),
            strategy.service_level.as_ref(),
            &DEADLINE_SECONDS,
        ),
        source: strategy.source.clone(),
    }
}
