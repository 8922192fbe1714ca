/*-------------------------------------------------------------------------
 * policy.h
 *		How long events are kept: audit.set_retention(), audit.retention.
 *
 * A policy is for a business context, a table or a type of event. It says how
 * long events stay in the ledger's tables (hot), how long they are kept at all,
 * and what then happens: nothing but that they stay in the archive, or that they
 * are purged. Without a policy events are kept for ever.
 *
 * A policy is a control record of the log; the last one for a scope is in force,
 * for events of before it too. One that lets events go sooner than what was in
 * force before takes the approval of a purge approver (request.h).
 *-------------------------------------------------------------------------
 */
#ifndef AT_RETENTION_POLICY_H
#define AT_RETENTION_POLICY_H

/* Policies in force, as a query: one row a scope, for the queries of this room. */
#define AT_POLICIES                                                                                \
	"SELECT DISTINCT ON (p.payload ->> 'context', p.payload ->> 'lineage', "                       \
	"p.payload ->> 'event_type') p.log_index, p.sealed_at, p.payload ->> 'context' AS context, "   \
	"(p.payload ->> 'lineage')::int4 AS lineage, p.payload ->> 'event_type' AS event_type, "       \
	"(p.payload ->> 'class')::int2 AS class, (p.payload ->> 'hot')::interval AS hot, "             \
	"(p.payload ->> 'keep')::interval AS keep, p.payload ->> 'then' AS \"then\", "                 \
	"p.payload ->> 'by' AS set_by, p.payload ->> 'approved_by' AS approved_by, "                   \
	"p.payload ->> 'reason' AS reason "                                                            \
	"FROM audit.log_entry AS p WHERE p.kind = 'retention' ORDER BY p.payload ->> 'context', "      \
	"p.payload ->> 'lineage', p.payload ->> 'event_type', p.log_index DESC"

/* Register the kind of request. */
extern void at_retention_policy_init(void);

#endif
