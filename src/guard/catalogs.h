/*-------------------------------------------------------------------------
 * catalogs.h
 *		System catalogs that are written as if they were tables.
 *
 * PostgreSQL lets superusers do that, with allow_system_table_mods or without, and calls no hook
 *for what becomes of triggers, tables or functions by it. So INSERT, UPDATE, DELETE, MERGE and COPY
 *are refused for catalogs that the audit trail rests on, which are nearly all. Scripts of
 * extensions may, since some do; not what they cause event triggers to do.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CATALOGS_H
#define AT_CATALOGS_H

/* Is the relation in pg_catalog: a system catalog, an index of one, or a view of them? */
extern bool at_in_pg_catalog(Oid relid);

/* Raise ERRCODE_AT_GUARDED if the relation is such a catalog. */
extern void at_catalogs_check_write(Oid relid);

/* Install the hook. */
extern void at_catalogs_init(void);

#endif
