/*-------------------------------------------------------------------------
 * origin.h
 *		Who does something now: session, roles and what the application says,
 *		as texts that another process can record.
 *
 * A transaction that the collector records for others has the identity of
 * the origin in its row, and not that of the collector.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ORIGIN_H
#define AT_ORIGIN_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

#include "ledger/context.h"
#include "ledger/session.h"

typedef struct AtOrigin
{
	uint64 session_id; /* 0: it has no committed row of audit.session */
	AtSessionFacts session;
	char *db_user; /* session_user; NULL: not known */
	char *db_role; /* current_user */
	AtContextValue field[AT_CONTEXT_FIELDS];
} AtOrigin;

/* The origin of what happens now, in the current memory context. Needs a transaction. */
extern void at_origin_now(AtOrigin *origin);

/*
 * The same as bytes, that of the statement before if nothing differs; they are valid until the
 * next call.
 */
extern const StringInfoData *at_origin_bytes(void);

/* Register the invalidation callback. */
extern void at_origin_init(void);

/* As bytes, and back; what is read points into the bytes. False if they are no origin. */
extern void at_origin_write(const AtOrigin *origin, StringInfo out);
extern bool at_origin_read(AtOrigin *origin, StringInfo in);

#endif
