/*-------------------------------------------------------------------------
 * drop_empty.h
 *		Partitions that a purge has emptied are dropped.
 *-------------------------------------------------------------------------
 */
#ifndef AT_DROP_EMPTY_H
#define AT_DROP_EMPTY_H

/*
 * Months that a carried out deletion was of, and of which there are partitions without a page,
 * at a time; never one that may still be written to. As a query: oid, relname.
 */
#define AT_DROP_CANDIDATES(now)                                                                    \
	"SELECT c.oid, c.relname FROM pg_catalog.pg_class AS c "                                       \
	"LEFT JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = c.oid "                             \
	"WHERE c.relnamespace = 'audit'::pg_catalog.regnamespace AND c.relispartition "                \
	"AND c.relname ~ '^(event|transaction)_[0-9]+_[0-9]{6}$' "                                     \
	"AND CASE c.relkind WHEN 'r' THEN pg_catalog.pg_relation_size(c.oid) = 0 "                     \
	"ELSE 'segments=0' = ANY (f.ftoptions) END AND pg_catalog.right(c.relname, 6) IN (SELECT "     \
	"pg_catalog.to_char((o.certificate ->> 'from')::timestamptz AT TIME ZONE 'UTC', 'YYYYMM') "    \
	"FROM audit.deletion AS o WHERE o.phase = 'done') AND pg_catalog.right(c.relname, 6) < "       \
	"pg_catalog.to_char(pg_catalog.timezone('UTC', " now ") - interval '2 months', 'YYYYMM')"

/* Register the keeper's step. */
extern void at_drop_empty_init(void);

#endif
