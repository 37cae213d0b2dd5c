//! The contract that every backend keeps: what the docs of `Storage` promise, case by case. A backend's test gives a
//! [`Fixture`] and runs [`contract!`](crate::contract). A handle must be dropped before its fixture is reopened.

#![expect(unreachable_pub, reason = "shared by several test binaries")]

pub mod accept;
pub mod backup;
pub mod commit;
pub mod gates;
pub mod lists;
pub mod make;
pub mod purge;
pub mod shards;

use std::sync::Arc;

use cartwright_storage::Storage;

/// One fresh storage, and a way to lose the process and come back.
#[async_trait::async_trait]
pub trait Fixture: Send {
    /// The storage as it is now.
    fn storage(&self) -> Arc<dyn Storage>;
    /// Drops everything that is not durable and opens it again.
    async fn reopen(&mut self);
}

/// Runs every case against fresh fixtures from `$fixture` (an async expression).
#[macro_export]
macro_rules! contract {
    ($fixture:expr) => {
        $crate::contract!(@cases $fixture;
            accept: a_new_event_is_kept_and_waits, a_key_is_accepted_once_in_its_shard, an_id_is_accepted_once,
                answers_come_in_order_and_batches_may_repeat_themselves, racing_calls_with_one_key_get_one_new, the_inbox_is_paged_oldest_first,
                large_events_come_back_whole;
            commit: a_run_lives_from_begin_to_end, a_wrong_length_is_a_conflict, any_conflict_leaves_nothing, records_are_compared_and_set,
                versions_never_repeat, records_are_listed_by_prefix, racing_commits_are_linear, long_journals_come_back_whole,
                everything_survives, bad_commits_are_refused_whole, matching_twice_is_a_conflict;
            shards: a_lease_keeps_others_out, an_old_fence_is_refused, fences_rise_across_reopening, timers_come_due_in_order,
                waits_are_found_by_topic, mail_is_kept_once_until_taken, the_outbox_is_kept_until_delivered, active_runs_are_found_again;
            lists: runs_are_listed_newest_first_by_every_filter, pages_stay_put_while_new_runs_arrive, events_are_listed,
                bad_cursors_are_refused, lists_follow_status, counts_follow_commits, a_span_of_time_bounds_every_list_of_runs, a_span_of_time_bounds_every_list_of_events;
            purge: old_ended_runs_go_and_open_ones_stay, events_go_after_their_runs, only_so_many_runs_are_kept, a_step_is_bounded,
                a_retried_run_stays;
            backup: a_backup_is_one_moment_while_writers_go_on, an_empty_storage_is_backed_up_and_parts_are_checked,
                records_are_seen_in_parts;
            gates: a_match_is_told_anew_for_its_workflow_alone, events_that_a_run_needs_are_kept_and_listed_with_it,
                what_was_held_and_never_began_is_let_go, records_of_gates_slots_and_approvals_are_compared_and_set,
                records_of_gates_slots_and_approvals_are_listed_by_prefix;
        );
    };
    (@cases $fixture:expr; $($module:ident: $($case:ident),*;)*) => {
        $($(
            #[tokio::test]
            async fn $case() {
                let mut fixture = $fixture.await;
                $crate::contract::$module::$case(&mut fixture).await;
            }
        )*)*
    };
}
