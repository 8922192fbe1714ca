/*-------------------------------------------------------------------------
 * chunk.h
 *		Keeps long values of the ledger from who may not see its rows.
 *
 * They are stored in TOAST tables, which have no row security, and which
 * pg_read_all_data may read like any other. Only who may see all of the
 * ledger reads those by name: ERRCODE_INSUFFICIENT_PRIVILEGE.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CHUNK_H
#define AT_CHUNK_H

/* Install the hook. */
extern void at_chunk_init(void);

#endif
