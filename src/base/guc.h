/*-------------------------------------------------------------------------
 * guc.h
 *		The settings of audit_trail, all under the prefix "audit_trail.".
 *
 * A string setting is never NULL; empty means unset.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GUC_H
#define AT_GUC_H

extern char *at_guc_actor;              /* who acts, as the application claims */
extern char *at_guc_actor_type;         /* user, service, ...; as claimed */
extern int at_guc_alert_escalate_after; /* s */
extern char *at_guc_alert_escalate_to;  /* a channel; empty: none */
extern int at_guc_alert_repeat_after;   /* s; 0: never */
extern int at_guc_alert_repeats;
extern bool at_guc_alert_values;     /* notifications may have values */
extern char *at_guc_anchor_command;  /* see seal/anchor.h */
extern int at_guc_anchor_heartbeat;  /* s; 0: none */
extern int at_guc_anchor_interval;   /* s */
extern int at_guc_anchor_max_age;    /* s; 0: any */
extern int at_guc_anchor_timeout;    /* s */
extern char *at_guc_app_session;     /* session of the application; as claimed */
extern char *at_guc_archive_command; /* stores a file of archived segments; empty: none */
extern char *at_guc_archive_directory;
extern int at_guc_archive_file_age; /* s from the end of a month; -1: never */
extern bool at_guc_archive_keep_local;
extern char *at_guc_archive_remove_command; /* removes a stored file; empty: none */
extern int at_guc_archive_timeout;          /* s for any of these commands */
extern char *at_guc_checkpoint_file;        /* path of what was signed; see checkpoint_file.h */
extern char *at_guc_client_ip;              /* of the application's client; as claimed */
extern char *at_guc_cluster_database;       /* its trail has what happens where there is none */
extern int at_guc_debug_clock;              /* s; see clock.h */
extern char *at_guc_debug_points;           /* comma-separated names; see debug_point.h */
extern int at_guc_drop_audited;
extern char *at_guc_extra;            /* JSON object of further context */
extern bool at_guc_guard;             /* refuse commands against the audit trail */
extern char *at_guc_hash_key_command; /* prints the key; where no file is named */
extern char *at_guc_hash_key_file;    /* absolute path of the secret; see key_file.h */
extern int at_guc_keeper_interval;    /* s between two runs of the keeper; 0: none */
extern int at_guc_keeper_pause;       /* ms between two portions of its work */
extern int at_guc_logical_apply;
extern char *at_guc_maintenance; /* why the transaction is maintenance; a tag */
extern char *at_guc_maintenance_role;
extern char *at_guc_maintenance_window; /* "22:00-05:00" in UTC; empty: always */
extern int at_guc_max_value_size;       /* kB; longer values are stored as prefix and digest */
extern char *at_guc_primary_conninfo;   /* of a standby: see conninfo.h */
extern int at_guc_primary_timeout;      /* ms */
extern bool at_guc_purge_anchor; /* nothing is purged before others have witnessed the order */
extern int at_guc_read_durability;
extern char *at_guc_reason;
extern bool at_guc_record_denials;
extern bool at_guc_record_privileges;
extern bool at_guc_record_reads; /* of the trail */
extern bool at_guc_record_sessions;
extern int at_guc_request_expiry; /* s that a request may wait for approval */
extern char *at_guc_request_id;
extern int at_guc_require_context;
extern char *at_guc_restore_command; /* brings a stored file back; empty: none */
extern int at_guc_ring_full;
extern int at_guc_ring_size;          /* kB; of what processes tell the collector, see ring.h */
extern int at_guc_ring_timeout;       /* ms that one waits for room in it */
extern int at_guc_seal_interval;      /* ms from one pass of the sealer to the next */
extern int at_guc_seal_lag_limit;     /* ms that it may be late; 0: writers never wait */
extern char *at_guc_signing_key_file; /* path of the log's key; see signing_key.h */
extern char *at_guc_trace_parent;
extern int at_guc_unknown_event_type;

extern char *at_guc_subject_key_directory;
extern int at_guc_verify_interval; /* s between two verifications; 0: none */

/* Longest value of a context setting: each goes into every transaction row. */
#define AT_MAX_CONTEXT_LENGTH 1000

/* Values of audit_trail.require_context. */
typedef enum AtRequireContext
{
	AT_REQUIRE_CONTEXT_OFF,
	AT_REQUIRE_CONTEXT_ERROR
} AtRequireContext;

/* Values of audit_trail.drop_audited. */
typedef enum AtDropAudited
{
	AT_DROP_AUDITED_REFUSE,
	AT_DROP_AUDITED_RECORD
} AtDropAudited;

/* Values of audit_trail.unknown_event_type. */
typedef enum AtUnknownEvent
{
	AT_UNKNOWN_EVENT_ERROR,
	AT_UNKNOWN_EVENT_WARNING
} AtUnknownEvent;

/* Values of audit_trail.logical_apply. */
typedef enum AtLogicalApply
{
	AT_LOGICAL_APPLY_RECORD,
	AT_LOGICAL_APPLY_COUNT
} AtLogicalApply;

/* Values of audit_trail.read_durability. */
typedef enum AtReadDurability
{
	AT_READ_ASYNC,
	AT_READ_SYNC
} AtReadDurability;

/* Values of audit_trail.ring_full. */
typedef enum AtRingFull
{
	AT_RING_FULL_WAIT,
	AT_RING_FULL_DROP
} AtRingFull;

/* Grows whenever one of the context settings may have changed. */
extern uint64 at_guc_context_version;

/* Grows whenever the configuration was read, which may have named another key file. */
extern uint64 at_guc_hash_key_version;

/* Minutes since midnight, UTC, of the maintenance window; both -1 where there is none. */
extern void at_guc_maintenance_window_bounds(int *from, int *until);

/* Is it one of ours that is read from the configuration file, and from nowhere else? NULL is not.
 */
extern bool at_guc_is_fixed(const char *name);

/* Define all settings and reserve the prefix. */
extern void at_guc_init(void);

#endif
