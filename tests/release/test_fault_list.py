"""The fault list: what is known to break blue-green releases, each as a test whose name says what holds instead.

`WHERE` says which tests show each item: on processes, and what only a cluster has on a real one. Not shown: of 11
websockets, which our edge does not offer; of 21 pods that move to another node.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

WHERE: Final = {
    "1 the deployer is killed": (
        "test_an_engine_killed_at_any_point_is_resumed_and_rolled_back_and_no_request_is_lost",
        "test_a_run_that_ends_at_any_call_is_gone_on_with_as_if_nothing_had_happened",
        "test_a_run_that_was_killed_at_any_call_can_be_taken_back",
        "test_a_slot_that_died_while_the_engine_was_dead_gets_no_user_back",
        "test_a_killed_run_is_found_and_both_its_verbs_mend_it",
    ),
    "2 a write is applied and its reply lost": (
        "test_a_run_that_ends_at_any_call_is_gone_on_with_as_if_nothing_had_happened",
        "test_a_route_that_was_written_and_not_confirmed_is_gone_on_with",
    ),
    "3 the API server refuses, is busy, forgets who asks, or is away": (
        "test_a_stale_token_and_an_old_number_change_nothing",
        "test_a_server_that_is_busy_is_asked_again",
        "test_a_server_that_has_just_come_back_may_not_know_its_roles_yet",
        "test_a_token_that_is_revoked_in_a_release_is_read_again",
        "test_a_release_outlasts_half_a_minute_without_an_api_server",
        "test_a_release_that_waits_no_longer_says_how_to_go_on",
    ),
    "4 two deployers, a lease that expires, a clock that jumps": (
        "test_the_second_command_is_locked_out_and_told_by_whom",
        "test_a_frozen_run_that_wakes_after_its_lock_was_broken_does_not_move_the_route",
        "test_a_run_that_is_frozen_inside_an_act_keeps_its_lock_until_it_is_ended",
        "test_a_run_that_is_frozen_in_its_journal_keeps_its_lock_until_it_is_ended",
        "test_no_line_comes_between_a_writers_look_and_its_write",
        "test_a_file_of_numbers_that_a_power_cut_left_blank_keeps_nobody_out",
        "test_every_act_of_an_older_run_is_refused",
        "test_a_clock_that_jumps_sends_nobody_astray",
    ),
    "5 the new slot never gets ready": (
        "test_a_slot_that_is_no_good_is_refused_and_no_user_notices",
        "test_a_release_whose_program_is_not_there_touches_no_user_and_can_be_given_up",
        "test_an_image_that_is_nowhere_is_named",
        "test_a_quota_that_is_used_up_is_named",
        "test_a_pod_that_the_namespace_refuses_is_named",
    ),
    "6 readiness flaps at the gate, and dips between gate and flip": (
        "test_a_slot_whose_readiness_flaps_at_the_end_of_the_window_is_not_passed_then",
        "test_a_slot_that_dips_between_its_gate_and_the_flip_gets_no_user",
        "test_a_slot_that_dips_with_the_flip_gives_its_users_back",
        "test_a_slot_that_dips_behind_its_gate_is_waited_for_and_no_request_is_lost",
        "test_a_slot_that_is_lost_at_any_call_gets_no_more_users",
    ),
    "7 ready but wrong": (
        "test_a_slot_that_is_no_good_is_refused_and_no_user_notices",
        "test_a_slot_that_says_it_is_another_version_is_found",
        "test_weights_that_lose_requests_cannot_be_written_down",
    ),
    "8 the schema": (
        "test_a_migration_that_fails_ends_the_release_before_any_slot_is_touched",
        "test_a_lock_that_never_gets_free_ends_the_run_with_what_to_do_and_changes_nothing",
        "test_a_migration_gives_way_to_the_live_slot",
        "test_an_index_half_built_by_a_run_before_is_built_anew_where_the_file_drops_it_first",
        "test_an_index_half_built_is_named_where_the_file_would_pass_over_it",
        "test_it_is_refused_while_a_warm_slot_needs_the_old_shape",
        "test_no_rollback_passes_a_contract",
    ),
    "9 figures that are down, empty, no numbers, stale, few, slow, or bad on both slots": (
        "test_figures_that_are_not_there_pass_nobody_and_refuse_nobody",
        "test_figures_that_come_back_are_judged_on",
        "test_figures_that_stand_still_pass_nobody",
        "test_a_latency_that_is_no_number_passes_nobody",
        "test_too_few_requests_hold_and_say_how_many_are_missing",
        "test_a_source_that_hangs_holds_the_release_and_is_asked_once",
        "test_a_source_that_is_slow_is_taken_as_it_comes",
        "test_both_slots_bad_blame_no_release",
    ),
    "10 bad only after promotion, and growing meanwhile": (
        "test_a_release_that_turns_bad_with_users_on_it_is_brought_back",
        "test_a_slot_that_lost_a_replica_does_not_keep_users_on_a_bad_release",
        "test_a_replica_that_dies_in_the_bake_gives_the_users_back",
        "test_more_and_fewer_replicas_under_load_lose_no_request",
        "test_a_release_that_fails_once_it_is_live_is_reverted_by_its_bake",
    ),
    "11 long requests, chunks, kept connections, requests behind each other": (
        "test_what_takes_its_time_ends_whole_on_the_slot_where_it_began",
        "test_kept_connections_lose_no_request_when_a_slot_ends_that_had_users_just_before",
    ),
    "12 draining that takes longer than its limit, or never ends": (
        "test_a_request_longer_than_the_drain_limit_is_answered_by_the_slot_that_lost_its_users",
        "test_a_request_that_never_ends_holds_up_no_release",
        "test_a_slot_that_ignores_sigterm_is_killed_and_no_user_notices",
        "test_a_slot_that_does_not_end_is_not_called_retired",
    ),
    "13 an autoscaler": (
        "test_a_live_slot_that_scales_out_in_the_overlap_hands_over_at_that_size",
        "test_a_scaled_object_of_keda_is_lifted_and_put_back",
    ),
    "14 Helm or a sync with values of before": (
        "test_no_upgrade_and_no_rollback_of_the_chart_moves_the_route",
        "test_helm_changes_the_way_it_applies_and_the_route_stays",
        "test_a_sync_of_what_is_rendered_without_a_cluster_leaves_the_route",
    ),
    "15 Helm was killed": ("test_a_helm_that_was_killed_is_mended",),
    "16 edits by hand": (
        "test_a_route_file_edited_by_hand_is_found_and_mended",
        "test_weights_changed_by_hand_under_a_release_are_left_alone_and_mended_by_abort",
        "test_a_journal_that_was_deleted_costs_the_memory_and_no_request",
        "test_a_preview_that_was_stopped_by_hand_is_deployed_anew",
        "test_an_idle_slot_that_was_stopped_by_hand_makes_the_rollback_a_cold_one",
        "test_edits_by_hand_are_found_and_mended",
        "test_a_route_file_spoilt_by_hand_closes_no_way_back",
        "test_a_route_file_spoilt_under_a_release_is_written_over_by_its_next_step",
        "test_a_slots_file_spoilt_by_hand_closes_no_way_back",
        "test_no_route_is_made_up_where_either_slot_may_have_the_users",
    ),
    "17 the router says done and is not": (
        "test_a_route_that_was_written_and_not_confirmed_is_gone_on_with",
        "test_a_rollback_whose_write_envoy_confirms_late_ends_as_one",
        "test_the_live_version_again_is_done_only_where_probes_see_it",
        "test_a_ready_slot_that_envoy_does_not_know_is_named",
        "test_a_route_that_envoy_refuses_is_named",
        "test_routes_that_envoy_would_refuse_or_misread_are_never_written",
        "test_a_slot_that_lets_requests_wait_gives_its_users_back",
    ),
    "18 a receiver of notifications hangs": (
        "test_a_receiver_that_hangs_holds_no_release_up",
        "test_a_receiver_that_hangs_or_trickles_is_left_and_hears_the_next",
        "test_one_receiver_that_hangs_holds_up_neither_the_others_nor_the_end",
    ),
    "19 configuration goes back with its code": (
        "test_a_rollback_finds_the_configuration_of_its_version_warm_and_cold",
    ),
    "20 an outage in smoke; a user who sticks to a slot": (
        "test_an_outage_of_what_both_slots_depend_on_blames_no_release_in_smoke",
        "test_users_keep_their_slot_while_its_share_grows_and_leave_it_with_its_last_percent",
        "test_a_user_who_stuck_to_the_new_slot_leaves_it_with_the_rollback",
    ),
    "21 a node is emptied": ("test_a_node_that_is_emptied_in_the_overlap_leaves_each_slot_a_pod",),
}


def test_every_item_has_its_tests() -> None:
    """The names above are those of tests that exist."""
    root = Path(__file__).parents[1]
    found = {
        node.name
        for path in root.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name for names in WHERE.values() for name in names} - found == set()
