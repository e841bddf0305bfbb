//! The watch of submission: resumed, lost, begun anew.

use std::time::Duration;

use super::world::{World, application_id};

#[tokio::test]
async fn a_broken_watch_goes_on_where_it_was() {
    let mut world = World::new().await;
    world.submission.tell(&application_id(1), "spark-1", false);
    world.start_follower();
    world
        .wait_for("spark-1", |record| record.ended_at.is_none())
        .await;
    world.submission.tell(&application_id(2), "spark-2", false);
    world.wait_for("spark-2", |_| true).await;
    world.submission.break_watches();
    world.submission.tell(&application_id(1), "spark-1", true);
    world
        .wait_for("spark-1", |record| record.ended_at.is_some())
        .await;
    // The change may arrive before the break; the next watch begins after what was written down.
    for _ in 0..3000 {
        if world.submission.cursors().len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let cursors = world.submission.cursors();
    assert!(cursors == ["", "2"] || cursors == ["", "3"], "{cursors:?}");
}

#[tokio::test]
async fn a_cursor_that_is_too_old_is_replaced_by_a_snapshot() {
    let mut world = World::new().await;
    world.store.record_attempts(&[], Some("0")).await.unwrap();
    world.submission.tell(&application_id(1), "spark-1", false);
    world.submission.expire_cursors();
    world.start_follower();
    world.wait_for("spark-1", |_| true).await;
    assert_eq!(world.submission.cursors(), ["0", ""]);
}

#[tokio::test]
async fn an_attempt_without_a_driver_waits_for_its_spark_id() {
    let mut world = World::new().await;
    let id = application_id(1);
    world.submission.tell(&id, "", false);
    world.start_follower();
    world
        .wait_for(&id, |record| record.spark_application_id.is_empty())
        .await;
    world.submission.tell(&id, "spark-1", false);
    world
        .wait_for(&id, |record| record.spark_application_id == "spark-1")
        .await;
}
