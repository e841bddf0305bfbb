//! Rules that the recorded logs do not show.

use super::Fold;
use crate::domain::{
    event,
    model::{JobStatus, StageStatus},
};

fn fold(lines: &[String]) -> Fold {
    let mut fold = Fold::default();
    for line in lines {
        fold.apply(&event::parse(line.as_bytes()).unwrap());
    }
    fold
}

fn job_start(id: i32, stages: &[i32]) -> String {
    let infos: Vec<_> = stages
        .iter()
        .map(|stage| stage_info(*stage, 0, ""))
        .collect();
    format!(
        r#"{{"Event":"SparkListenerJobStart","Job ID":{id},"Submission Time":{},"Stage IDs":{stages:?},"Stage Infos":[{}]}}"#,
        100 * id,
        infos.join(",")
    )
}

fn job_end(id: i32) -> String {
    format!(
        r#"{{"Event":"SparkListenerJobEnd","Job ID":{id},"Completion Time":{},"Job Result":{{"Result":"JobSucceeded"}}}}"#,
        100 * id + 50
    )
}

fn stage_info(id: i32, attempt: i32, more: &str) -> String {
    format!(
        r#"{{"Stage ID":{id},"Stage Attempt ID":{attempt},"Stage Name":"s","Number of Tasks":2{more}}}"#
    )
}

fn stage_submitted(id: i32, attempt: i32, time: i32) -> String {
    let info = stage_info(id, attempt, &format!(r#","Submission Time":{time}"#));
    format!(r#"{{"Event":"SparkListenerStageSubmitted","Stage Info":{info}}}"#)
}

fn stage_completed(id: i32, attempt: i32, time: i32) -> String {
    let more = format!(
        r#","Submission Time":{time},"Completion Time":{}"#,
        time + 10
    );
    let info = stage_info(id, attempt, &more);
    format!(r#"{{"Event":"SparkListenerStageCompleted","Stage Info":{info}}}"#)
}

fn task_info(task: i32) -> String {
    format!(
        r#""Task Info":{{"Task ID":{task},"Index":{task},"Launch Time":110,"Executor ID":"1","Finish Time":115}}"#
    )
}

fn task_start(task: i32) -> String {
    format!(
        r#"{{"Event":"SparkListenerTaskStart","Stage ID":1,"Stage Attempt ID":0,{}}}"#,
        task_info(task)
    )
}

fn task_end(task: i32, reason: &str) -> String {
    format!(
        r#"{{"Event":"SparkListenerTaskEnd","Stage ID":1,"Stage Attempt ID":0,"Task End Reason":{{"Reason":{reason}}},
        {},"Task Metrics":{{"Executor Run Time":5}}}}"#,
        task_info(task)
    )
}

#[test]
fn stage_that_no_job_needed_is_skipped_when_the_job_ends_and_pending_before() {
    let mut lines = vec![job_start(1, &[1, 2]), stage_submitted(2, 0, 110)];
    let before = fold(&lines).snapshot();
    assert_eq!(before.stages[0].status, StageStatus::Pending);
    assert_eq!(before.stages[1].status, StageStatus::Active);
    assert_eq!(
        (before.jobs[0].status, before.jobs[0].num_active_stages),
        (JobStatus::Running, 1)
    );
    lines.extend([stage_completed(2, 0, 110), job_end(1)]);
    let after = fold(&lines).snapshot();
    assert_eq!(after.stages[0].status, StageStatus::Skipped);
    let job = &after.jobs[0];
    assert_eq!(
        (
            job.num_skipped_stages,
            job.num_skipped_tasks,
            job.num_completed_stages
        ),
        (1, 2, 1)
    );
}

#[test]
fn later_job_that_names_a_stage_does_not_get_its_tasks() {
    let lines = [
        job_start(1, &[1]),
        stage_submitted(1, 0, 110),
        task_start(0),
        task_end(0, r#""Success""#),
        stage_completed(1, 0, 110),
        job_end(1),
        job_start(2, &[1]),
    ];
    let jobs = fold(&lines).snapshot().jobs;
    assert_eq!(
        (jobs[0].num_completed_tasks, jobs[0].num_completed_stages),
        (1, 1)
    );
    assert_eq!(
        (jobs[1].num_completed_tasks, jobs[1].num_completed_stages),
        (0, 0)
    );
}

#[test]
fn stage_that_is_attempted_again_is_not_complete() {
    let lines = [
        job_start(1, &[1]),
        stage_submitted(1, 0, 110),
        stage_completed(1, 0, 110),
        stage_submitted(1, 1, 130),
    ];
    let job = fold(&lines).snapshot().jobs.remove(0);
    assert_eq!((job.num_completed_stages, job.num_active_stages), (0, 1));
}

#[test]
fn ends_are_counted_by_their_reason_and_only_once() {
    let mut lines = vec![job_start(1, &[1]), stage_submitted(1, 0, 110)];
    lines.extend((0..6).map(task_start));
    for _ in 0..2 {
        lines.extend([
            task_end(0, r#""Success""#),
            task_end(
                1,
                r#""TaskKilled","Kill Reason":"another attempt succeeded""#,
            ),
            task_end(
                2,
                r#""TaskCommitDenied","Job ID":1,"Partition ID":2,"Attempt Number":3"#,
            ),
            task_end(3, r#""ExecutorLostFailure""#),
            task_end(0, r#""Resubmitted""#),
        ]);
    }
    let snapshot = fold(&lines).snapshot();
    let stage = &snapshot.stages[0];
    assert_eq!(
        (
            stage.num_complete_tasks,
            stage.num_failed_tasks,
            stage.num_killed_tasks
        ),
        (1, 2, 2)
    );
    assert_eq!(
        (stage.num_active_tasks, stage.num_completed_indices),
        (2, 1)
    );
    // The lost output of a task that had succeeded is no work done twice.
    assert_eq!(stage.sums.executor_run_time, 20);
    let reasons: Vec<_> = stage
        .killed_tasks_summary
        .keys()
        .map(String::as_str)
        .collect();
    let denied =
        "TaskCommitDenied (Driver denied task commit) for job: 1, partition: 2, attemptNumber: 3";
    assert_eq!(reasons, [denied, "another attempt succeeded"]);
    assert_eq!(
        snapshot.jobs[0].killed_tasks_summary,
        stage.killed_tasks_summary
    );
}

#[test]
fn task_whose_start_is_lost_is_not_counted_as_running() {
    let lines = [
        job_start(1, &[1]),
        task_end(0, r#""Success""#),
        task_start(0),
    ];
    let stage = fold(&lines).snapshot().stages.remove(0);
    assert_eq!((stage.num_active_tasks, stage.num_complete_tasks), (0, 1));
}

#[test]
fn exclusion_lasts_until_it_is_lifted_and_that_of_a_stage_until_its_end() {
    let added = r#"{"Event":"SparkListenerExecutorAdded","Timestamp":1,"Executor ID":"1","Executor Info":{"Host":"h","Total Cores":4}}"#;
    let excluded =
        r#"{"Event":"SparkListenerExecutorExcluded","time":5,"executorId":"1","taskFailures":2}"#;
    let for_stage = r#"{"Event":"SparkListenerExecutorExcludedForStage","time":5,"executorId":"1","taskFailures":2,"stageId":1,"stageAttemptId":0}"#;
    let lifted = r#"{"Event":"SparkListenerExecutorUnexcluded","time":9,"executorId":"1"}"#;
    let mut lines: Vec<_> = [added, excluded, for_stage].map(str::to_owned).to_vec();
    lines.push(stage_submitted(1, 0, 110));
    let executor = fold(&lines).snapshot().executors.remove(0);
    assert!(executor.is_excluded && executor.is_blacklisted);
    assert_eq!(executor.excluded_in_stages, [1]);
    lines.extend([
        lifted.to_owned(),
        excluded.to_owned(),
        stage_completed(1, 0, 110),
    ]);
    let executor = fold(&lines).snapshot().executors.remove(0);
    assert!(
        !executor.is_excluded,
        "the lifting is later, whatever the order"
    );
    assert_eq!(executor.excluded_in_stages, [] as [i32; 0]);
}

#[test]
fn cached_blocks_are_counted_and_leave_with_their_rdd() {
    let block = |id: &str, in_memory: bool, bytes: i32| {
        format!(
            r#"{{"Event":"SparkListenerBlockUpdated","Block Updated Info":{{"Block Manager ID":{{"Executor ID":"1","Host":"h","Port":1}},
            "Block ID":"{id}","Storage Level":{{"Use Disk":false,"Use Memory":{in_memory}}},"Memory Size":{bytes},"Disk Size":0}}}}"#
        )
    };
    let added = r#"{"Event":"SparkListenerBlockManagerAdded","Block Manager ID":{"Executor ID":"1","Host":"h","Port":1},"Maximum Memory":100,"Timestamp":1,"Maximum Onheap Memory":100,"Maximum Offheap Memory":0}"#;
    let mut lines = vec![
        added.to_owned(),
        block("rdd_3_0", true, 10),
        block("rdd_3_1", true, 20),
        block("rdd_4_0", true, 5),
        block("rdd_3_1", false, 20),
        block("shuffle_1_0_0", true, 1000),
    ];
    let executor = fold(&lines).snapshot().executors.remove(0);
    assert_eq!(
        (
            executor.rdd_blocks,
            executor.memory_used,
            executor.host_port.as_str()
        ),
        (2, 15, "h:1")
    );
    lines.push(r#"{"Event":"SparkListenerUnpersistRDD","RDD ID":3}"#.to_owned());
    let executor = fold(&lines).snapshot().executors.remove(0);
    assert_eq!((executor.rdd_blocks, executor.memory_used), (1, 5));
    assert_eq!(
        executor.memory_metrics.unwrap().used_on_heap_storage_memory,
        5
    );
}
