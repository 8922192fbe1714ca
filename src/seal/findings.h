/*-------------------------------------------------------------------------
 * findings.h
 *		What verification found: one finding for each cause.
 *
 * Most findings are added as they are. Differences between the leaves that
 * were sealed and those that the rows give are collected first: only when
 * all are known can be told whether a row was changed or changed places
 * with another, and whether many events differ because of one target.
 *-------------------------------------------------------------------------
 */
#ifndef AT_FINDINGS_H
#define AT_FINDINGS_H

#include "core/hash.h"

typedef enum AtThing
{
	AT_THING_EVENT,
	AT_THING_TRANSACTION,
	AT_THING_BATCH,
	AT_THING_TILE,
	AT_THING_LOG_TILE,
	AT_THING_CHECKPOINT,
	AT_THING_SESSION,
	AT_THING_TARGET,
	AT_THING_INCARNATION,
	AT_THING_RECEIPT,
	AT_THING_SEGMENT,
	AT_THING_DELETION,
	AT_THING_ALERT,
	AT_THING_ALERT_ACTION,
	AT_THING_LOG
} AtThing;

typedef enum AtFault
{
	AT_FAULT_CHANGED,
	AT_FAULT_MISSING,
	AT_FAULT_ADDED,
	AT_FAULT_REORDERED,
	AT_FAULT_DUPLICATED,

	/* of the log, and of checkpoints that were given */
	AT_FAULT_SHORTENED,
	AT_FAULT_REWRITTEN,
	AT_FAULT_FORKED,
	AT_FAULT_FORGED,
	AT_FAULT_FOREIGN
} AtFault;

/* A row of audit.verify(); a NULL string is null. */
typedef struct AtFinding
{
	AtThing thing;
	AtFault fault;
	const char *object;
	const char *place;
	const char *expected;
	const char *found;
	const char *detail;
	const char *before; /* what stands next to it, by name */
	const char *after;
	const char *cause; /* NULL: the likely one, see explain.h */

	uint64 log_index; /* of an event or a transaction: its batch, or AT_UNSEALED */
} AtFinding;

/* A leaf that is not as it was sealed. */
typedef struct AtDifference
{
	AtFault fault; /* changed, missing, added or duplicated */
	uint64 tx_id;
	uint32 ordinal;      /* 0: the transaction itself */
	uint64 log_index;    /* or AT_UNSEALED */
	bool is_digest;      /* the hashes are those of its events' chain, not of a leaf */
	const char *subject; /* "public.orders, key 17"; or NULL */
	const char *detail;  /* or NULL */
	const char *before;  /* what was sealed next to it, by name; or NULL */
	const char *after;

	/* what was sealed: not set where a leaf was added */
	AtHash expected;

	/* what is stored: not set where it is missing */
	AtHash found;
	bool is_unreadable;  /* found is not set either */
	int32 target_id;     /* of an event, else 0 */
	bool target_missing; /* there is no such target */
} AtDifference;

#define AT_UNSEALED PG_UINT64_MAX

/* "event 5.3", "transaction 5" (ordinal 0), with ", batch 2" or ", unsealed". */
extern char *at_leaf_place(uint64 tx_id, uint32 ordinal, const char *subject, uint64 log_index);

typedef struct AtFindings AtFindings;

/* An empty list that lives in the current context. */
extern AtFindings *at_findings_new(void);

/* Add a copy of the finding, of the difference. Past a limit they are counted only. */
extern void at_findings_add(AtFindings *findings, const AtFinding *finding);
extern void at_findings_add_difference(AtFindings *findings, const AtDifference *difference);

/* An event of this target is as it was sealed, so the target is. */
extern void at_findings_target_is_fine(AtFindings *findings, int32 target_id);

/* All of these targets, in the current context; returns how many. */
extern int at_findings_fine_targets(const AtFindings *findings, int32 **targets);

/* Not all events were looked at: that all of a target's differ says nothing of the target. */
extern void at_findings_are_partial(AtFindings *findings);

/* An event names a target that there is not. */
extern void at_findings_target_is_missing(AtFindings *findings, int32 target_id);

/* Is a transaction missing? */
extern bool at_findings_miss_transaction(const AtFindings *findings);

/* Is a leaf of this name missing? */
extern bool at_findings_misses(const AtFindings *findings, uint64 tx_id, uint32 ordinal);

/*
 * Is a missing leaf of this name among the differences? Then its row was
 * found after all, where no index leads to it: tell so.
 */
extern bool at_findings_unindexed(AtFindings *findings, uint64 tx_id, uint32 ordinal);

/*
 * A segment that is reported has the events, or the transactions, of this range of tx_id: that they
 * are missing is no finding of its own.
 */
extern void at_findings_excuse(AtFindings *findings, bool are_events, uint64 first, uint64 last);

/* Turn the differences into findings, all being known. */
extern void at_findings_resolve(AtFindings *findings);

/* Findings and differences so far: grows when something is added. */
extern uint64 at_findings_total(const AtFindings *findings);

/* How many there are, with those that were only counted. */
extern uint64 at_findings_count(const AtFindings *findings);

/* The findings kept, in the order in which they are to be read. */
extern int at_findings_kept(const AtFindings *findings);
extern const AtFinding *at_findings_get(const AtFindings *findings, int index);

/* The event or transaction that is first in the log among them; NULL if none is named. */
extern const AtFinding *at_findings_first(const AtFindings *findings);

/* "event changed" */
extern const char *at_finding_name(const AtFinding *finding);

/* A hash in hex, in the current context. */
extern char *at_hash_text(const AtHash *hash);

#endif
