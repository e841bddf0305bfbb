//! What is not left to chance.

use moka_tests_shipping::hard;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_leaves_no_room_for_is_named_to_the_byte() {
    hard::outage_longer_than_the_spool().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_holds_up_nothing_and_loses_nothing_silently() {
    hard::full_disk().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn line_without_end_is_shipped_in_pieces_and_in_bounded_memory() {
    let peak_bytes = hard::endless_line(128).await;
    // A line of 16 MiB, its records, their compressed form, and what the program is by itself.
    assert!(peak_bytes < 128 << 20, "{peak_bytes}");
}
