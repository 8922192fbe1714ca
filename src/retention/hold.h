/*-------------------------------------------------------------------------
 * hold.h
 *		Legal holds: audit.hold(), audit.release_hold(), audit.holds.
 *
 * A hold keeps events, whatever the policies say: those for which all that it
 * names is so (tables, records, actors, contexts, time), and no others. Placing
 * one takes one person, releasing it two. Both are control records of the log.
 *-------------------------------------------------------------------------
 */
#ifndef AT_HOLD_H
#define AT_HOLD_H

#define AT_KIND_HOLD    "hold"
#define AT_KIND_RELEASE "release"

/* Holds in force at a time, which is a parameter ("$1"), as a query for those of this room. */
#define AT_HOLDS(now)                                                                              \
	"SELECT h.log_index, h.sealed_at, h.payload ->> 'name' AS name, "                              \
	"(h.payload ->> 'contexts')::text[] AS contexts, "                                             \
	"(h.payload ->> 'lineages')::int4[] AS lineages, "                                             \
	"(h.payload ->> 'records')::text[] AS records, (h.payload ->> 'actors')::text[] AS actors, "   \
	"(h.payload ->> 'since')::timestamptz AS since, "                                              \
	"(h.payload ->> 'before')::timestamptz AS before, "                                            \
	"(h.payload ->> 'until')::timestamptz AS until, h.payload ->> 'reason' AS reason, "            \
	"h.payload ->> 'by' AS placed_by FROM audit.log_entry AS h WHERE h.kind = 'hold' "             \
	"AND (h.payload ->> 'until')::timestamptz > " now " AND NOT EXISTS (SELECT "                   \
	"FROM audit.log_entry AS r WHERE r.kind = 'release' "                                          \
	"AND (r.payload ->> 'hold')::int8 = h.log_index)"

/*
 * Is an event e of target g and transaction t held by one of a relation "hold" of these? As a
 * condition.
 */
#define AT_IS_HELD "EXISTS (SELECT FROM hold AS h WHERE " AT_HOLD_FITS ")"

/* Is it held by the hold h? Likewise. */
#define AT_HOLD_FITS                                                                               \
	"(h.contexts IS NULL OR g.context = ANY (h.contexts)) "                                        \
	"AND (h.lineages IS NULL OR g.lineage = ANY (h.lineages)) "                                    \
	"AND (h.records IS NULL OR e.record_key = ANY (h.records)) "                                   \
	"AND (h.actors IS NULL OR t.actor = ANY (h.actors) OR t.db_user = ANY (h.actors) "             \
	"OR (audit.has_context(e.extra) AND "                                                          \
	"audit.to_jsonb(e.extra) -> 'context' ->> 'actor' = ANY (h.actors))) "                         \
	"AND (h.since IS NULL OR e.tx_at >= h.since) AND (h.before IS NULL OR e.tx_at < h.before)"

/* Register the kind of request. */
extern void at_hold_init(void);

#endif
