/*-------------------------------------------------------------------------
 * columns.h
 *		Column numbers of the ledger tables, as audit.create_ledger() makes
 *		them (sql/install/20_ledger.sql). The tables never lose a column.
 *-------------------------------------------------------------------------
 */
#ifndef AT_COLUMNS_H
#define AT_COLUMNS_H

#define Anum_incarnation_incarnation       1
#define Anum_incarnation_began_at          2
#define Anum_incarnation_system_identifier 3
#define Anum_incarnation_database_oid      4
#define Anum_incarnation_log_id            5
#define Anum_incarnation_reason            6
#define Natts_incarnation                  6

#define Anum_session_session_id       1
#define Anum_session_started_at       2
#define Anum_session_backend_pid      3
#define Anum_session_client_port      4
#define Anum_session_login_user       5
#define Anum_session_client_addr      6
#define Anum_session_application_name 7
#define Anum_session_tls              8
#define Natts_session                 8

#define Anum_transaction_tx_id             1
#define Anum_transaction_tx_at             2
#define Anum_transaction_committed_at      3
#define Anum_transaction_xid               4
#define Anum_transaction_session_id        5
#define Anum_transaction_system_identifier 6
#define Anum_transaction_database_oid      7
#define Anum_transaction_event_count       8
#define Anum_transaction_retention_class   9
#define Anum_transaction_digest            10
#define Anum_transaction_actor             11
#define Anum_transaction_actor_type        12
#define Anum_transaction_actor_source      13
#define Anum_transaction_db_user           14
#define Anum_transaction_db_role           15
#define Anum_transaction_application_name  16
#define Anum_transaction_request_id        17
#define Anum_transaction_reason            18
#define Anum_transaction_claimed_session   19
#define Anum_transaction_claimed_client_ip 20
#define Anum_transaction_trace_parent      21
#define Anum_transaction_extra             22
#define Anum_transaction_context_sources   23
#define Anum_transaction_session_digest    24
#define Anum_transaction_event_places      25
#define Natts_transaction                  25

#define Anum_event_tx_id           1
#define Anum_event_tx_at           2
#define Anum_event_occurred_at     3
#define Anum_event_ordinal         4
#define Anum_event_target_id       5
#define Anum_event_retention_class 6
#define Anum_event_op              7
#define Anum_event_record_key      8
#define Anum_event_event_type      9
#define Anum_event_old_values      10
#define Anum_event_new_values      11
#define Anum_event_extra           12
#define Natts_event                12

#define Anum_target_target_id       1
#define Anum_target_lineage         2
#define Anum_target_tx_id           3
#define Anum_target_defined_at      4
#define Anum_target_retention_class 5
#define Anum_target_table_schema    6
#define Anum_target_table_name      7
#define Anum_target_resource_type   8
#define Anum_target_context         9
#define Anum_target_key_columns     10
#define Anum_target_columns         11
#define Natts_target                11

#define Anum_log_entry_log_index   1
#define Anum_log_entry_sealed_at   2
#define Anum_log_entry_incarnation 3
#define Anum_log_entry_kind        4
#define Anum_log_entry_previous    5
#define Anum_log_entry_root        6
#define Anum_log_entry_leaf_count  7
#define Anum_log_entry_tx_count    8
#define Anum_log_entry_event_count 9
#define Anum_log_entry_first_tx_at 10
#define Anum_log_entry_last_tx_at  11
#define Anum_log_entry_snapshot    12
#define Anum_log_entry_payload     13
#define Natts_log_entry            13

#define Anum_leaf_tile_log_index 1
#define Anum_leaf_tile_tile      2
#define Anum_leaf_tile_hashes    3
#define Anum_leaf_tile_owners    4
#define Anum_leaf_tile_root      5
#define Natts_leaf_tile          5

#define Anum_log_tile_level  1
#define Anum_log_tile_tile   2
#define Anum_log_tile_hashes 3
#define Natts_log_tile       3

#define Anum_checkpoint_size     1
#define Anum_checkpoint_made_at  2
#define Anum_checkpoint_root     3
#define Anum_checkpoint_frontier 4
#define Natts_checkpoint         4

#define Anum_anchor_receipt_receipt_id   1
#define Anum_anchor_receipt_size         2
#define Anum_anchor_receipt_incarnation  3
#define Anum_anchor_receipt_requested_at 4
#define Anum_anchor_receipt_received_at  5
#define Anum_anchor_receipt_attempt      6
#define Anum_anchor_receipt_kind         7
#define Anum_anchor_receipt_command      8
#define Anum_anchor_receipt_checkpoint   9
#define Anum_anchor_receipt_receipt      10
#define Natts_anchor_receipt             10

#define Anum_segment_store_id       1
#define Anum_segment_number         2
#define Anum_segment_archived_at    3
#define Anum_segment_partition_name 4
#define Anum_segment_row_count      5
#define Anum_segment_first_tx_id    6
#define Anum_segment_last_tx_id     7
#define Anum_segment_first_tx_at    8
#define Anum_segment_last_tx_at     9
#define Anum_segment_first_target   10
#define Anum_segment_last_target    11
#define Anum_segment_stored_bytes   12
#define Anum_segment_checksum       13
#define Anum_segment_bloom          14
#define Anum_segment_file_offset    15
#define Anum_segment_file           16
#define Anum_segment_content        17
#define Natts_segment               17

#define Anum_alert_alert_id    1
#define Anum_alert_raised_at   2
#define Anum_alert_xid         3
#define Anum_alert_tx_id       4
#define Anum_alert_ordinal     5
#define Anum_alert_target_id   6
#define Anum_alert_rule_name   7
#define Anum_alert_severity    8
#define Anum_alert_channel     9
#define Anum_alert_record_key  10
#define Anum_alert_changed     11
#define Anum_alert_event_type  12
#define Anum_alert_sentence    13
#define Anum_alert_escalate_to 14
#define Natts_alert            14

#define Anum_alert_action_action_id         1
#define Anum_alert_action_acted_at          2
#define Anum_alert_action_xid               3
#define Anum_alert_action_system_identifier 4
#define Anum_alert_action_database_oid      5
#define Anum_alert_action_alert_id          6
#define Anum_alert_action_kind              7
#define Anum_alert_action_channel           8
#define Anum_alert_action_note              9
#define Anum_alert_action_actor             10
#define Anum_alert_action_db_user           11
#define Anum_alert_action_login_user        12
#define Anum_alert_action_tx_id             13
#define Anum_alert_action_ordinal           14
#define Natts_alert_action                  14

#define Anum_alert_delivery_delivery_id  1
#define Anum_alert_delivery_alert_id     2
#define Anum_alert_delivery_delivered_at 3
#define Anum_alert_delivery_attempt      4
#define Anum_alert_delivery_channel      5
#define Anum_alert_delivery_outcome      6
#define Anum_alert_delivery_detail       7
#define Anum_alert_delivery_due_at       8
#define Anum_alert_delivery_action_id    9
#define Natts_alert_delivery             9

#define Anum_alert_pass_pass_id           1
#define Anum_alert_pass_passed_at         2
#define Anum_alert_pass_system_identifier 3
#define Anum_alert_pass_database_oid      4
#define Anum_alert_pass_alerts            5
#define Anum_alert_pass_snapshot          6
#define Anum_alert_pass_due_at            7
#define Anum_alert_pass_due_id            8
#define Anum_alert_pass_sealed            9
#define Natts_alert_pass                  9

#define Anum_keeper_run_run_id     1
#define Anum_keeper_run_step       2
#define Anum_keeper_run_started_at 3
#define Anum_keeper_run_ended_at   4
#define Anum_keeper_run_done       5
#define Anum_keeper_run_detail     6
#define Anum_keeper_run_error      7
#define Natts_keeper_run           7

#define Anum_deletion_deletion_id 1
#define Anum_deletion_phase       2
#define Anum_deletion_log_index   3
#define Anum_deletion_made_at     4
#define Anum_deletion_certificate 5
#define Anum_deletion_gaps        6
#define Anum_deletion_sessions    7
#define Natts_deletion            7

#define Anum_alert_match_xid        1
#define Anum_alert_match_tx_id      2
#define Anum_alert_match_ordinal    3
#define Anum_alert_match_rule_name  4
#define Anum_alert_match_actor      5
#define Anum_alert_match_matched_at 6
#define Anum_alert_match_due_at     7
#define Anum_alert_match_alerted    8
#define Natts_alert_match           8

#define Anum_alert_judgement_pass_id           1
#define Anum_alert_judgement_judged_at         2
#define Anum_alert_judgement_system_identifier 3
#define Anum_alert_judgement_database_oid      4
#define Anum_alert_judgement_snapshot          5
#define Natts_alert_judgement                  5

#endif
